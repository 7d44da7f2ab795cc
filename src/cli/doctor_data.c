/* doctor_data: the configuration, the data directory and what is in it. */
#include "base/clock.h"
#include "base/db.h"
#include "base/fd.h"
#include "base/x509.h"
#include "cli/doctor.h"
#include "daemon/config.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define GIB ((double)(1 << 30))
#define FSYNC_TRIES 9
#define FSYNC_SLOW_US 20000
#define CHECKED_MAX_BYTES ((off_t)2 << 30) /* larger databases would take minutes */
#define DAY_MS ((int64_t)24 * 3600 * 1000)
#define CERTIFICATE_WARN_DAYS 21
#define NETWORK_LINK ".ember-network-" /* cluster/kubelet/machine: who has 127.N */

static const char *path_in(struct doctor *doctor, const char *name)
{
    return slice_cstr(doctor->command->arena, slice_fmt(doctor->command->arena, "%s/%s", doctor->command->data_dir, name));
}

/* ---- the disk ---- */

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The median of some small writes that are forced to the disk, in microseconds; -1: it cannot be written. */
static int64_t time_fsync(struct doctor *doctor)
{
    const char *path = path_in(doctor, ".doctor");
    char page[4096] = {0};
    int64_t times[FSYNC_TRIES];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -1;
    bool good = true;
    for (size_t i = 0; i < FSYNC_TRIES && good; i++) {
        int64_t began_us = monotonic_us();
        good = pwrite(fd, page, sizeof(page), (off_t)(i * sizeof(page))) == sizeof(page) && fdatasync(fd) == 0;
        times[i] = monotonic_us() - began_us;
    }
    close(fd);
    unlink(path);
    qsort(times, good ? FSYNC_TRIES : 0, sizeof(times[0]), by_number);
    return good ? times[FSYNC_TRIES / 2] : -1;
}

static void check_disk(struct doctor *doctor, bool exists)
{
    const char *dir = doctor->command->data_dir;
    struct statvfs fs;
    if (statvfs(exists ? dir : "/", &fs) == 0) {
        double gib = (double)fs.f_bavail * (double)fs.f_frsize / GIB;
        bool few_files = fs.f_files && fs.f_favail < 10000;
        doctor_tell(doctor, gib < 1 || few_files ? VERDICT_FAIL : gib < 5 ? VERDICT_WARN : VERDICT_OK, "disk", "%.1f GiB free for %s%s", gib, dir,
                    few_files  ? ", and hardly any files: make room"
                    : gib < 5 ? ": make room"
                              : "");
    }
    int64_t us = exists ? time_fsync(doctor) : -1;
    if (us >= 0)
        doctor_tell(doctor, us > FSYNC_SLOW_US ? VERDICT_WARN : VERDICT_OK, "fsync", "%.1f ms%s", (double)us / 1000,
                    us > FSYNC_SLOW_US ? ": each answer to a write waits for one; put the data directory on a faster disk" : "");
}

/* ---- the data directory ---- */

/* Who may see it. */
static void check_modes(struct doctor *doctor, const struct stat *dir)
{
    struct stat st;
    const char *root_key = path_in(doctor, "root-credentials");
    const char *path = doctor->command->data_dir;
    if (dir->st_uid != geteuid() && geteuid() != 0)
        doctor_tell(doctor, VERDICT_FAIL, "data directory", "%s belongs to user %u: run as that user, or name another with --data-dir", path,
                    (unsigned)dir->st_uid);
    else if (dir->st_mode & 022)
        doctor_tell(doctor, VERDICT_FAIL, "data directory", "others may write to %s: chmod 700 %s", path, path);
    else if (dir->st_mode & 077)
        doctor_tell(doctor, VERDICT_WARN, "data directory", "others may look into %s: chmod 700 %s", path, path);
    else
        doctor_tell(doctor, VERDICT_OK, "data directory", "%s, private", path);
    if (stat(root_key, &st) != 0)
        return;
    bool shared = (st.st_mode & 077) != 0;
    doctor_tell(doctor, shared ? VERDICT_FAIL : VERDICT_OK, "root key", shared ? "others may read %s, which may do everything: chmod 600 %s" : "%s, private",
                root_key, root_key);
}

static void check_database(struct doctor *doctor, const char *path)
{
    struct stat st, dir;
    if (stat(path, &st) != 0)
        return;
    if (st.st_mode & 077 && stat(doctor->command->data_dir, &dir) == 0 && dir.st_mode & 077)
        doctor_tell(doctor, VERDICT_FAIL, "database", "others may read %s, which holds keys: start emberd anew, or chmod 600 %s", path, path);
    if (st.st_uid != geteuid()) { /* files made beside it would be ours */
        doctor_tell(doctor, VERDICT_WARN, "database", "%s is another user's: not looked into", path);
        return;
    }
    if (st.st_size > CHECKED_MAX_BYTES) {
        doctor_tell(doctor, VERDICT_OK, "database", "%s is too large to look through in passing", path);
        return;
    }
    struct err *e = db_quick_check(path);
    if (e)
        doctor_tell(doctor, VERDICT_FAIL, "database", "%.*s: stop emberd and restore it from a backup", SLICE_ARG(err_message(e)));
    else
        doctor_tell(doctor, VERDICT_OK, "database", "%s is whole", path);
    err_free(e);
}

static void check_databases(struct doctor *doctor)
{
    check_database(doctor, path_in(doctor, "ember.db"));
    check_database(doctor, path_in(doctor, "objects/index.db"));
    check_database(doctor, path_in(doctor, "logs/index.db"));
    DIR *dir = opendir(path_in(doctor, "clusters"));
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            check_database(doctor, slice_cstr(doctor->command->arena, slice_fmt(doctor->command->arena, "%s/clusters/%s/registry.db",
                                                                                doctor->command->data_dir, entry->d_name)));
    if (dir)
        closedir(dir);
}

/* ---- what runs ---- */

/* Whether somebody holds the lock; a file that is not there is held by nobody. */
static bool is_locked(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    bool locked = flock(fd, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return locked;
}

static void check_pods(struct doctor *doctor, bool daemon_runs)
{
    struct arena *arena = doctor->command->arena;
    size_t alive = 0, left = 0;
    DIR *dir = opendir(path_in(doctor, "pods"));
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.')
            continue;
        bool locked = is_locked(slice_cstr(arena, slice_fmt(arena, "%s/pods/%s/lock", doctor->command->data_dir, entry->d_name)));
        alive += locked;
        left += !locked;
    }
    if (dir)
        closedir(dir);
    if (daemon_runs || !(alive + left))
        doctor_tell(doctor, VERDICT_OK, "pods", "%zu run", alive);
    else
        doctor_tell(doctor, VERDICT_WARN, "pods", "%zu run and %zu have ended without emberd: start it, and it takes them up", alive, left);
}

/* Links that say whose a 127.N network is, and point to a cluster that is no more. */
static void check_networks(struct doctor *doctor)
{
    struct arena *arena = doctor->command->arena;
    DIR *dir = opendir("/tmp");
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        char target[4096];
        if (strncmp(entry->d_name, NETWORK_LINK, sizeof(NETWORK_LINK) - 1) != 0)
            continue;
        const char *path = slice_cstr(arena, slice_fmt(arena, "/tmp/%s", entry->d_name));
        ssize_t len = readlink(path, target, sizeof(target) - 1);
        if (len <= 0)
            continue;
        target[len] = 0;
        if (target[0] == '/' && !path_exists(target))
            doctor_tell(doctor, VERDICT_WARN, "networks", "%s holds addresses for %s, which is gone: rm %s", path, target, path);
    }
    if (dir)
        closedir(dir);
}

static void check_port(struct doctor *doctor, const struct config *config, bool daemon_runs)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at = {.v4 = {.sin_family = AF_INET, .sin_port = htons(config->port)}};
    socklen_t len = sizeof(at.v4);
    if (inet_pton(AF_INET, config->address, &at.v4.sin_addr) != 1) {
        at.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(config->port)};
        len = sizeof(at.v6);
        if (inet_pton(AF_INET6, config->address, &at.v6.sin6_addr) != 1)
            return;
    }
    if (daemon_runs) {
        doctor_tell(doctor, VERDICT_OK, "emberd", "it runs on this data directory");
        return;
    }
    int fd = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0)
        return;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, &at.any, len) == 0)
        doctor_tell(doctor, VERDICT_OK, "port", "%s port %u is free for emberd, which does not run", config->address, (unsigned)config->port);
    else
        doctor_tell(doctor, VERDICT_FAIL, "port", "%s port %u: %s; choose another with --listen", config->address, (unsigned)config->port, strerror(errno));
    close(fd);
}

/* ---- the configuration ---- */

static void check_certificate(struct doctor *doctor, const char *path)
{
    struct slice pem;
    struct instant end;
    struct err *e = file_read(doctor->command->arena, path, 1 << 20, &pem);
    if (!e)
        e = x509_ends_at(pem, &end);
    if (e) {
        err_free(e); /* config_check_files told it */
        return;
    }
    int64_t days = (end.ms - instant_now().ms) / DAY_MS;
    struct slice when = instant_iso8601(doctor->command->arena, end);
    if (end.ms <= instant_now().ms)
        doctor_tell(doctor, VERDICT_FAIL, "certificate", "%s ended on %.*s: renew it and send emberd a SIGHUP", path, SLICE_ARG(when));
    else
        doctor_tell(doctor, days < CERTIFICATE_WARN_DAYS ? VERDICT_WARN : VERDICT_OK, "certificate", "%s ends on %.*s%s", path, SLICE_ARG(when),
                    days < CERTIFICATE_WARN_DAYS ? ": renew it and send emberd a SIGHUP" : "");
}

static size_t tell_problems(struct doctor *doctor, const struct slice *problems, size_t count)
{
    for (size_t i = 0; i < count; i++)
        doctor_tell(doctor, VERDICT_FAIL, "configuration", "%.*s", SLICE_ARG(problems[i]));
    return count;
}

void doctor_check_data(struct doctor *doctor)
{
    struct config config;
    const struct slice *problems;
    char *argv[] = {(char *)(uintptr_t)"emberd", (char *)(uintptr_t)"--data-dir", (char *)(uintptr_t)doctor->command->data_dir, NULL};
    size_t count = config_read(doctor->command->arena, 3, argv, &config, &problems);
    bool good = !tell_problems(doctor, problems, count);
    if (good) {
        count = config_check_files(doctor->command->arena, &config, &problems);
        if (!tell_problems(doctor, problems, count))
            doctor_tell(doctor, VERDICT_OK, "configuration", "%s", config.file ? config.file : "no file, all defaults");
        if (config.tls_cert)
            check_certificate(doctor, config.tls_cert);
    }
    struct stat st;
    bool exists = stat(doctor->command->data_dir, &st) == 0, daemon_runs = is_locked(path_in(doctor, "emberd.lock"));
    if (good)
        check_port(doctor, &config, daemon_runs);
    check_disk(doctor, exists);
    if (!exists) {
        doctor_tell(doctor, VERDICT_OK, "data directory", "%s will be made by the first start", doctor->command->data_dir);
        return;
    }
    check_modes(doctor, &st);
    check_databases(doctor);
    check_pods(doctor, daemon_runs);
    check_networks(doctor);
}
