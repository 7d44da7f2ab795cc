/* data_dir: see the header. */
#include "daemon/data_dir.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/strbuf.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* AKIA and 16 of base32's alphabet; 40 of base64's. Source: IAM user guide, "IAM identifiers" and real keys. */
#define KEY_ID_ALPHABET S("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
#define SECRET_ALPHABET S("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")

enum {
    LOCK_WAIT_MS = 10000, /* for a lock without a daemon */
    LOCK_LOOK_MS = 20,
};

static char *path_in(struct arena *arena, const char *dir, const char *name)
{
    return slice_cstr(arena, slice_fmt(arena, "%s/%s", dir, name));
}

/* Whose the directory is, or where it stands, is the operator's to change. */
static struct err *advise(struct err *e)
{
    if (!e || e->kind != ERR_DENIED)
        return e;
    struct err *told = err_new(ERR_DENIED, "%.*s: say with --data-dir where this user may write", SLICE_ARG(err_message(e)));
    err_free(e);
    return told;
}

/* ---- who may look into it ---- */

#define OPEN_TO_OTHERS 077

/* What emberd keeps there, and what operators put there for it; some names have more behind them (SQLite's logs, logs that were rotated, files
 * that were not finished). */
static bool is_ours(struct slice name)
{
    static const struct slice names[] = {S_INIT("objects"), S_INIT("logs"), S_INIT("clusters"), S_INIT("pods"), S_INIT("endpoint"), S_INIT("internal-port"),
                                         S_INIT("lost+found"), S_INIT(".doctor"), S_INIT("."), S_INIT("..")};
    static const struct slice prefixes[] = {S_INIT("ember.db"), S_INIT("ember.conf"), S_INIT("emberd."), S_INIT("root-credentials"), S_INIT("access.log"),
                                            S_INIT("endpoint.tmp."), S_INIT("internal-port.tmp.")};
    for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
        if (slice_starts_with(name, prefixes[i]))
            return true;
    return slice_is_one_of(name, names, ARRAY_SIZE(names));
}

static bool has_others(DIR *dir)
{
    const struct dirent *entry;
    while ((entry = readdir(dir)))
        if (!is_ours(slice_from_cstr(entry->d_name)))
            return true;
    return false;
}

/* Folders, and the files that hold keys. Databases see to themselves (base/db). */
static struct err *close_within(int dir_fd, const char *dir)
{
    static const struct {
        const char *name;
        mode_t kind, mode;
    } parts[] = {{"objects", S_IFDIR, 0700}, {"logs", S_IFDIR, 0700}, {"clusters", S_IFDIR, 0700}, {"pods", S_IFDIR, 0700}, {"root-credentials", S_IFREG, 0600}};
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        struct stat st;
        if (fstatat(dir_fd, parts[i].name, &st, AT_SYMLINK_NOFOLLOW) != 0 || (st.st_mode & S_IFMT) != parts[i].kind || st.st_uid != geteuid())
            continue;
        if (st.st_mode & OPEN_TO_OTHERS && fchmodat(dir_fd, parts[i].name, parts[i].mode, 0) < 0)
            return err_errno(errno, "making %s/%s private", dir, parts[i].name);
    }
    return NULL;
}

static struct err *make_private(const char *path)
{
    DIR *dir = opendir(path);
    struct stat st;
    if (!dir)
        return err_errno(errno, "opening %s", path);
    struct err *e = fstat(dirfd(dir), &st) < 0 ? err_errno(errno, "looking at %s", path) : NULL;
    if (!e && st.st_mode & OPEN_TO_OTHERS) {
        bool left = st.st_uid != geteuid() || has_others(dir);
        if (!left && fchmod(dirfd(dir), 0700) < 0)
            e = err_errno(errno, "making %s private", path);
        if (left)
            log_event(DATA_DIR_OPEN, LOG_CSTR("dataDir", path));
    }
    if (!e)
        e = close_within(dirfd(dir), path);
    closedir(dir);
    return e;
}

/* Of the emberd that has the directory, or had it; SLICE_NONE: of none that is ready. */
static struct slice pid_of_holder(struct arena *arena, const char *dir)
{
    struct slice pid = SLICE_NONE;
    struct err *e = file_read(arena, path_in(arena, dir, "emberd.pid"), 32, &pid);
    err_free(e);
    return slice_trim(pid);
}

static bool process_lives(struct slice pid)
{
    int64_t number, start_ticks;
    return slice_to_i64(pid, 1, INT32_MAX, &number) && proc_start_ticks((pid_t)number, &start_ticks) && proc_is_alive((pid_t)number, start_ticks);
}

/* The lock may be held for a moment though no emberd lives: by a child of one that was killed before the child became another program, or
 * by who looks whether one runs (cli/access). No event tells of its end. false: with errno. */
static bool take_lock(struct arena *arena, const char *dir, int fd)
{
    const struct timespec pause = {.tv_nsec = LOCK_LOOK_MS * 1000000L};
    int64_t deadline_ms = monotonic_ms() + LOCK_WAIT_MS;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int number = errno;
        if (number != EWOULDBLOCK || monotonic_ms() >= deadline_ms || process_lives(pid_of_holder(arena, dir))) {
            errno = number;
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return true;
}

struct err *data_dir_claim(struct arena *arena, const char *dir, int *ret_lock_fd)
{
    TRY(advise(dir_make(dir, 0700)));
    const char *path = path_in(arena, dir, "emberd.lock");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return advise(err_errno(errno, "%s", path));
    if (!take_lock(arena, dir, fd)) {
        int number = errno;
        close(fd);
        if (number != EWOULDBLOCK)
            return err_errno(number, "while locking %s", path);
        struct slice pid = pid_of_holder(arena, dir);
        return err_new(ERR_CONFLICT, "another emberd%s%.*s works on %s: stop it, or choose another --data-dir", pid.len ? " with pid " : "",
                       SLICE_ARG(pid), dir);
    }
    struct err *e = make_private(dir);
    if (e) {
        close(fd);
        return e;
    }
    *ret_lock_fd = fd;
    return NULL;
}

/* The value of "name = value" in an AWS credentials file with one profile. */
static struct slice setting(struct slice text, struct slice name)
{
    struct slice rest = text;
    while (rest.ptr) {
        struct slice line = slice_cut(&rest, '\n'), before, after;
        if (slice_split(line, '=', &before, &after) && slice_eq(slice_trim(before), name))
            return slice_trim(after);
    }
    return SLICE_NONE;
}

struct err *data_dir_root_key(struct arena *arena, const char *dir, struct slice region, struct root_key *ret_key)
{
    const char *path = path_in(arena, dir, "root-credentials");
    struct slice text;
    struct err *e = file_read(arena, path, 65536, &text);
    if (e && e->kind == ERR_NOT_FOUND) {
        err_free(e);
        struct slice id = slice_fmt(arena, "AKIA%.*s", SLICE_ARG(random_text(arena, 16, KEY_ID_ALPHABET)));
        text = slice_fmt(arena,
                         "# The root key of this Ember: it may do everything. AWS_SHARED_CREDENTIALS_FILE and AWS_PROFILE=ember use it as it is.\n"
                         "[ember]\naws_access_key_id = %.*s\naws_secret_access_key = %.*s\nregion = %.*s\n",
                         SLICE_ARG(id), SLICE_ARG(random_text(arena, 40, SECRET_ALPHABET)), SLICE_ARG(region));
        TRY(file_write_atomic(path, text, 0600));
    } else if (e) {
        return e;
    }
    struct root_key key = {.access_key_id = setting(text, S("aws_access_key_id")), .secret = setting(text, S("aws_secret_access_key"))};
    if (!key.access_key_id.len || !key.secret.len)
        return err_new(ERR_INVALID, "%s has no aws_access_key_id and aws_secret_access_key: restore it, or remove it to get a new key", path);
    *ret_key = key;
    return NULL;
}

struct err *data_dir_write_endpoint(struct arena *arena, const char *dir, struct slice endpoint)
{
    return file_write_atomic(path_in(arena, dir, "endpoint"), slice_fmt(arena, "%.*s\n", SLICE_ARG(endpoint)), 0600);
}

struct err *data_dir_write_pid(struct arena *arena, const char *dir)
{
    return file_write_atomic(path_in(arena, dir, "emberd.pid"), slice_fmt(arena, "%d\n", (int)getpid()), 0600);
}

void data_dir_retract(struct arena *arena, const char *dir)
{
    (void)unlink(path_in(arena, dir, "endpoint"));
    (void)unlink(path_in(arena, dir, "emberd.pid"));
}
