/* What mutex.c refuses ends the process, so each of those runs in a child whose standard error is read. */
#include "base/mutex.h"
#include "base/clock.h"
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct mutex outer, inner, inner_sibling, lasting;
static struct rwlock files;
static struct condition changed;

static void init_all(void)
{
    mutex_init(&outer, LOCK_WATCH_HUB);
    mutex_init(&inner, LOCK_HTTP_STREAM);
    mutex_init(&inner_sibling, LOCK_HTTP_STREAM);
    mutex_init(&lasting, LOCK_CLUSTERS);
    rwlock_init(&files, LOCK_OBJECTS_UNLINK);
    condition_init(&changed);
}

static void deinit_all(void)
{
    mutex_deinit(&outer);
    mutex_deinit(&inner);
    mutex_deinit(&inner_sibling);
    mutex_deinit(&lasting);
    rwlock_deinit(&files);
    condition_deinit(&changed);
}

static void test_locks_are_taken_from_the_outermost_in_and_let_go_in_any_order(void **state)
{
    init_all();
    for (int i = 0; i < 3; i++) {
        mutex_lock(&lasting);
        rwlock_lock_read(&files);
        mutex_lock(&outer);
        mutex_lock(&inner);
        mutex_unlock(&outer);
        rwlock_unlock(&files);
        mutex_unlock(&inner);
        mutex_unlock(&lasting);
        mutex_lock(&outer);
        mutex_unlock(&outer);
        rwlock_lock_write(&files);
        rwlock_unlock(&files);
    }
    deinit_all();
}

static bool there;

static void *say(void *arg)
{
    mutex_lock(&outer);
    there = true;
    condition_broadcast(&changed);
    mutex_unlock(&outer);
    return NULL;
}

static void test_a_wait_ends_when_it_is_told_and_holds_the_lock_again(void **state)
{
    init_all();
    there = false;
    mutex_lock(&lasting); /* may be held by one who waits */
    mutex_lock(&outer);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, say, NULL), 0);
    while (!there)
        mutex_wait(&changed, &outer);
    assert_true(there);
    mutex_unlock(&outer);
    mutex_unlock(&lasting);
    pthread_join(thread, NULL);
    deinit_all();
}

static void test_a_wait_with_a_deadline_says_when_that_has_passed(void **state)
{
    init_all();
    int64_t deadline_ms = monotonic_ms() + 20;
    mutex_lock(&outer);
    while (mutex_wait_until(&changed, &outer, deadline_ms))
        ;
    assert_true(monotonic_ms() >= deadline_ms);
    mutex_unlock(&outer);
    deinit_all();
}

static void test_what_may_take_long_is_allowed_without_a_short_lock(void **state)
{
    init_all();
    thread_may_block("a transaction");
    mutex_lock(&lasting);
    thread_may_block("a transaction");
    mutex_unlock(&lasting);
    deinit_all();
}

#ifdef EMBER_CHECK_LOCKS

static void wrong_order(void)
{
    mutex_lock(&inner);
    mutex_lock(&outer);
}

static void twice(void)
{
    mutex_lock(&inner);
    mutex_lock(&inner);
}

static void siblings(void)
{
    mutex_lock(&inner);
    mutex_lock(&inner_sibling);
}

static void reader_inside(void)
{
    mutex_lock(&outer);
    rwlock_lock_read(&files);
}

static void unlock_unheld(void)
{
    mutex_unlock(&outer);
}

static void *unlock_outer(void *arg)
{
    mutex_unlock(&outer);
    return NULL;
}

static void unlock_of_another_thread(void)
{
    mutex_lock(&outer);
    pthread_t thread;
    pthread_create(&thread, NULL, unlock_outer, NULL);
    pthread_join(thread, NULL);
}

static void wait_unheld(void)
{
    mutex_wait(&changed, &outer);
}

static void wait_with_another(void)
{
    mutex_lock(&outer);
    mutex_lock(&inner);
    (void)mutex_wait_until(&changed, &inner, monotonic_ms() + 10);
}

static void transaction(void)
{
    mutex_lock(&outer);
    thread_may_block("a transaction");
}

static void deinit_held(void)
{
    mutex_lock(&outer);
    mutex_deinit(&outer);
}

static const struct death {
    const char *what;
    void (*run)(void);
    const char *says[4];
} deaths[] = {
    {"an inner lock, then an outer one", wrong_order, {"WATCH_HUB is taken at src/base/mutex_test.c:", "while HTTP_STREAM is held since src/base/mutex_test.c:"}},
    {"one lock twice", twice, {"HTTP_STREAM is taken at", ": it is the same lock"}},
    {"two locks of one rank", siblings, {"HTTP_STREAM is taken at", ": no two of one rank"}},
    {"a reader's lock inside", reader_inside, {"OBJECTS_UNLINK is taken at", "while WATCH_HUB is held since"}},
    {"letting go what nobody holds", unlock_unheld, {"WATCH_HUB is let go at src/base/mutex_test.c:", "by a thread that does not hold it"}},
    {"letting go what another thread holds", unlock_of_another_thread, {"WATCH_HUB is let go at", "by a thread that does not hold it"}},
    {"a wait without the lock", wait_unheld, {"WATCH_HUB is let go at", "by a thread that does not hold it"}},
    {"a wait with another short lock held", wait_with_another, {"a wait with HTTP_STREAM at src/base/mutex_test.c:", "while WATCH_HUB is held since src/base/mutex_test.c:"}},
    {"a transaction with a short lock held", transaction, {"a transaction at src/base/mutex_test.c:", "while WATCH_HUB is held since", "calls short"}},
    {"destroying what is held", deinit_held, {"WATCH_HUB is destroyed at", "while it is held since"}},
};

static void dies(const struct death *death)
{
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        signal(SIGABRT, SIG_DFL);
        dup2(fds[1], 2);
        init_all();
        death->run();
        _exit(0);
    }
    close(fds[1]);
    char text[4096];
    size_t len = 0;
    ssize_t n;
    while (len < sizeof(text) - 1 && (n = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    text[len] = '\0';
    close(fds[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
        fail_msg("%s: status %#x, not an abort: %s", death->what, (unsigned)status, text);
    for (size_t i = 0; i < 4 && death->says[i]; i++)
        if (!strstr(text, death->says[i]))
            fail_msg("%s: does not say \"%s\": %s", death->what, death->says[i], text);
    char *newline = strchr(text, '\n');
    if (!newline || newline[1])
        fail_msg("%s: says more than one line: %s", death->what, text);
}

static void test_a_breach_of_the_order_ends_the_process_and_names_both_places(void **state)
{
    for (size_t i = 0; i < sizeof(deaths) / sizeof(deaths[0]); i++)
        dies(&deaths[i]);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_locks_are_taken_from_the_outermost_in_and_let_go_in_any_order),
        cmocka_unit_test(test_a_wait_ends_when_it_is_told_and_holds_the_lock_again),
        cmocka_unit_test(test_a_wait_with_a_deadline_says_when_that_has_passed),
        cmocka_unit_test(test_what_may_take_long_is_allowed_without_a_short_lock),
#ifdef EMBER_CHECK_LOCKS
        cmocka_unit_test(test_a_breach_of_the_order_ends_the_process_and_names_both_places),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
