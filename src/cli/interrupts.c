/* interrupts: see the header. */
#include "cli/interrupts.h"
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static sigset_t only_interrupts(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    return set;
}

static void *read_signals(void *context)
{
    struct interrupts *interrupts = context;
    sigset_t set = only_interrupts();
    for (;;) {
        int number;
        if (sigwait(&set, &number) != 0)
            continue;
        if (__atomic_add_fetch(&interrupts->pending, 1, __ATOMIC_SEQ_CST) >=
            __atomic_load_n(&interrupts->stop_at, __ATOMIC_SEQ_CST))
            __atomic_store_n(interrupts->stop, true, __ATOMIC_RELAXED);
        ssize_t written =
            write(interrupts->fd, &(uint64_t){1}, sizeof(uint64_t)); /* it never blocks: the sum is small */
        (void)written;
    }
    return NULL;
}

struct err *interrupts_watch(struct interrupts *interrupts, volatile bool *stop)
{
    *interrupts = (struct interrupts){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .stop = stop, .stop_at = 1};
    if (interrupts->fd < 0)
        return err_errno(errno, "eventfd");
    sigset_t set = only_interrupts();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    pthread_t thread;
    int failed = pthread_create(&thread, NULL, read_signals, interrupts);
    if (failed)
        return err_errno(failed, "a thread for signals");
    pthread_detach(thread);
    return NULL;
}

int interrupts_take(struct interrupts *interrupts)
{
    uint64_t count;
    __atomic_store_n(interrupts->stop, false,
                     __ATOMIC_RELAXED); /* a call that ends for one that came just now is made again */
    ssize_t got = read(interrupts->fd, &count, sizeof(count));
    (void)got;
    return __atomic_exchange_n(&interrupts->pending, 0, __ATOMIC_SEQ_CST);
}
