/* What is left of a store when a call to the disk fails, or the process ends at it: each one in turn, of a sequence of writes. Whatever was
 * answered is there, what was answered with an error is there whole or not at all, and nothing is left over. */
#include "objects/objects_test_store.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum fault { FAULT_NONE, FAULT_EIO, FAULT_ENOSPC, FAULT_END };

/* Of parent and child. */
struct shared {
    enum fault fault;
    long at, calls; /* the call that fails, from 1; those that were made */
    char k[32], l[32]; /* what the objects may be now: the letter that they are full of, '-' for none */
};
static struct shared *shared;
static bool armed;

/* As kill -9: nothing is closed, and no sanitizer takes its leave. */
static void end_process(void)
{
    (void)syscall(SYS_exit_group, 0);
}

static bool must_fail(bool may_lack_space)
{
    if (!armed || __atomic_add_fetch(&shared->calls, 1, __ATOMIC_SEQ_CST) != shared->at)
        return false;
    if (shared->fault == FAULT_END)
        end_process();
    errno = shared->fault == FAULT_ENOSPC && may_lack_space ? ENOSPC : EIO;
    return true;
}

/* In place of libc's, for the store and for SQLite. The machine itself stays up, so that nothing needs to be synced. */
int fdatasync(int fd)
{
    return must_fail(false) ? -1 : 0;
}

int fsync(int fd)
{
    return must_fail(false) ? -1 : 0;
}

int rename(const char *from, const char *to)
{
    return must_fail(true) ? -1 : (int)syscall(SYS_rename, from, to);
}

int unlink(const char *path)
{
    return must_fail(false) ? -1 : (int)syscall(SYS_unlink, path);
}

ssize_t write(int fd, const void *data, size_t len)
{
    return must_fail(true) ? -1 : syscall(SYS_write, fd, data, len);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
    return must_fail(true) ? -1 : syscall(SYS_pwrite64, fd, data, len, offset);
}

/* --- the writes --- */

#define BIG 40000

static void may_be(char states[32], char state)
{
    size_t len = strlen(states);
    assert_true(len < 31);
    if (!strchr(states, state))
        states[len] = state;
}

static void settle(char states[32], char state, struct err *e)
{
    if (!e) {
        memset(states, 0, 32);
        states[0] = state;
    }
    err_free(e);
}

static void try_put(struct fixture *f, char letter, size_t len)
{
    may_be(shared->k, letter);
    settle(shared->k, letter, put_when(f, S("k"), filled(f, len, letter), NULL));
}

static struct err *put_part(struct fixture *f, struct slice id, int number, struct slice data, struct upload_complete_part *ret_part)
{
    _cleanup_(object_writer_freep) struct object_writer *writer = NULL;
    struct object_part_view view;
    TRY(object_writer_begin(f->objects, S("bkt"), S("k"), CHECKSUM_NONE, &writer));
    TRY(object_writer_write(writer, data));
    TRY(upload_part_commit(writer, id, number, f->arena, &view));
    *ret_part = (struct upload_complete_part){.number = number, .etag = view.etag};
    return NULL;
}

static struct err *put_parts(struct fixture *f, char letter)
{
    struct slice id;
    struct upload_complete_part part, unused;
    struct upload_complete_fault fault;
    struct object_view view;
    TRY(upload_create(f->objects, f->arena, S("bkt"), S("k"), (struct object_attributes){0}, CHECKSUM_NONE, CHECKSUM_FULL_OBJECT, &id));
    TRY(put_part(f, id, 1, filled(f, BIG, 'x'), &part));
    TRY(put_part(f, id, 1, filled(f, BIG, letter), &part));
    TRY(put_part(f, id, 2, filled(f, BIG, 'y'), &unused));
    may_be(shared->k, letter);
    return upload_complete(f->objects, f->arena, S("bkt"), S("k"), id, &part, 1, NULL, &view, &fault);
}

static void try_delete(struct fixture *f, struct slice key, char states[32])
{
    may_be(states, '-');
    settle(states, '-', object_delete(f->objects, S("bkt"), key, NULL));
}

static void write_all(struct fixture *f)
{
    struct object_copy copy = {.source_bucket = S("bkt"), .source_key = S("k"), .bucket = S("bkt"), .key = S("l")};
    struct object_view view;
    try_put(f, 'a', BIG);
    try_put(f, 'b', BIG);
    try_put(f, 'c', 100);
    try_put(f, 'd', BIG);
    size_t count = strlen(shared->k);
    for (size_t i = 0; i < count; i++)
        may_be(shared->l, shared->k[i]);
    struct err *e = object_copy(f->objects, f->arena, &copy, &view);
    settle(shared->l, shared->k[0], count == 1 ? e : e ? e : err_new(ERR_INTERNAL, "a copy of what is not known"));
    try_put(f, 'e', BIG);
    settle(shared->k, 'f', put_parts(f, 'f'));
    try_delete(f, S("l"), shared->l);
    try_put(f, 'g', BIG);
}

static void child_main(const char *dir)
{
    struct fixture f = {.arena = arena_new()};
    armed = true;
    struct err *e = objects_open(dir, &f.objects);
    if (!e)
        write_all(&f);
    end_process();
}

/* --- what is left --- */

static char letter_of(struct fixture *f, struct slice key)
{
    _cleanup_(object_reader_freep) struct object_reader *reader = NULL;
    struct object_view view;
    struct err *e = object_reader_open(f->objects, f->arena, S("bkt"), key, &view, &reader);
    if (err_has_code(e, "NoSuchKey")) {
        err_free(e);
        return '-';
    }
    OK(e);
    struct slice data = read_rest(f, reader);
    assert_int_equal(data.len, view.size_bytes);
    assert_true(data.len > 0);
    for (size_t i = 1; i < data.len; i++)
        assert_int_equal(data.ptr[i], data.ptr[0]);
    return data.ptr[0];
}

static void check(struct fixture *f, struct slice key, char states[32])
{
    char letter = letter_of(f, key);
    if (!strchr(states, letter))
        fail_msg("fault %d at call %ld: %.*s is '%c', not one of '%s'", shared->fault, shared->at, SLICE_ARG(key), letter, states);
    memset(states, 0, 32);
    states[0] = letter;
}

static size_t count_files(struct fixture *f, const char *below)
{
    DIR *dir = opendir(slice_fmt(f->arena, "%s/%s", f->dir, below).ptr);
    assert_non_null(dir);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        count += entry->d_type == DT_DIR ? count_files(f, slice_fmt(f->arena, "%s/%s", below, entry->d_name).ptr) : 1;
    }
    closedir(dir);
    return count;
}

static void run_with(struct fixture *f, enum fault fault)
{
    for (shared->at = 1;; shared->at++) {
        shared->fault = fault;
        shared->calls = 0;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            child_main(f->dir);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        OK(objects_open(f->dir, &f->objects));
        check(f, S("k"), shared->k);
        check(f, S("l"), shared->l);
        objects_close(f->objects);
        arena_reset(f->arena);
        if (shared->calls < shared->at)
            return;
    }
}

static void test_each_failing_call_leaves_objects_whole(void **state)
{
    struct fixture *f = *state;
    objects_close(f->objects);
    shared->k[0] = shared->l[0] = '-';
    run_with(f, FAULT_EIO);
    run_with(f, FAULT_ENOSPC);
    run_with(f, FAULT_END);
    OK(objects_open(f->dir, &f->objects));
    OK(object_delete(f->objects, S("bkt"), S("k"), NULL));
    OK(object_delete(f->objects, S("bkt"), S("l"), NULL));
    OK(bucket_delete(f->objects, S("bkt"))); /* with the uploads that were cut off */
    assert_int_equal(count_files(f, "data"), 0);
    assert_int_equal(count_files(f, "tmp"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_failing_call_leaves_objects_whole, setup, teardown),
    };
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return cmocka_run_group_tests_name("objects_fault", tests, NULL, NULL);
}
