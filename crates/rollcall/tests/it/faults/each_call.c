/*
 * What a disk does to a store at one certain call. Loaded into a process (LD_PRELOAD), it counts the calls by which SQLite writes
 * to the files of a store, and at the one with the number FAULT_AT does what FAULT says:
 *
 *   killed   the process dies before the call
 *   torn     the first half is written, then it dies
 *   lost     it dies as with the power: of what was written since the last sync of each file, every piece is there or not by chance
 *   full     this call and all that follow fail with ENOSPC
 *   broken   likewise with EIO
 *
 * With FAULT_LIES a sync is a lie: it is answered at once, and makes sure of nothing.
 *
 * It counts while the file FAULT_ARMED exists; FAULT_ON=sync counts the calls that sync alone. At its end a process writes the number of
 * calls into the file FAULT_COUNT, if there is such a variable.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum call { WRITE, SYNC };
enum verdict { GO_ON, HALF, FAIL };

/* A piece that was written, and what was there before. */
struct piece {
    struct piece *before;
    char path[512];
    ino_t file;
    off_t at, size_before, size_after;
    size_t old_length, new_length;
    char *old, *new;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long calls;
static struct piece *unsynced;

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);

__attribute__((constructor)) static void begin(void)
{
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("FAULT_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;
    if (file) {
        fprintf(file, "%lu", calls);
        fclose(file);
    }
}

static int says(const char *variable, const char *word)
{
    const char *value = getenv(variable);
    return value && strcmp(value, word) == 0;
}

static int ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), of_end = strlen(end);
    return length >= of_end && strcmp(text + length - of_end, end) == 0;
}

/* Tells whether a file is of a store, and writes its path. */
static int is_of_a_store(int fd, char *path, size_t size)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length <= 0)
        return 0;
    path[length] = 0;
    return ends_with(path, ".db") || ends_with(path, ".db-wal") || ends_with(path, ".db-journal");
}

static int is_armed(void)
{
    const char *path = getenv("FAULT_ARMED");
    return path && access(path, F_OK) == 0;
}

static void put(const struct piece *piece, const char *bytes, size_t length, off_t size)
{
    int fd = open(piece->path, O_RDWR);
    if (fd < 0)
        return;
    if (length)
        real_pwrite(fd, bytes, length, piece->at);
    real_ftruncate(fd, size);
    close(fd);
}

/* Takes back what no sync has made sure of, then does a part of it again, chosen by chance. */
static void lose(unsigned seed)
{
    struct piece *first = NULL;
    for (struct piece *piece = unsynced; piece;) {
        put(piece, piece->old, piece->old_length, piece->size_before);
        struct piece *next = piece->before;
        piece->before = first;
        first = piece;
        piece = next;
    }
    for (struct piece *piece = first; piece; piece = piece->before) {
        struct stat now;
        off_t size = stat(piece->path, &now) == 0 && now.st_size > piece->size_after ? now.st_size : piece->size_after;
        if (rand_r(&seed) % 2)
            put(piece, piece->new, piece->new_length, size);
    }
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    pause();
}

/* Counts a call, under the lock. */
static enum verdict count(enum call call)
{
    const char *at = getenv("FAULT_AT");
    if (!at || !is_armed() || (says("FAULT_ON", "sync") && call != SYNC))
        return GO_ON;
    unsigned long number = strtoul(at, NULL, 10);
    calls++;
    int is_full = says("FAULT", "full");
    if (is_full || says("FAULT", "broken")) {
        errno = is_full ? ENOSPC : EIO;
        return calls >= number ? FAIL : GO_ON;
    }
    if (calls < number)
        return GO_ON;
    if (says("FAULT", "lost"))
        lose((unsigned)number);
    else if (says("FAULT", "torn") && call == WRITE)
        return HALF;
    die();
    return GO_ON;
}

/* Remembers what is about to be written, under the lock. */
static void note(int fd, const char *path, off_t at, const void *bytes, size_t length, off_t size_after)
{
    if (!says("FAULT", "lost"))
        return;
    struct stat now;
    struct piece *piece = calloc(1, sizeof *piece);
    fstat(fd, &now);
    snprintf(piece->path, sizeof piece->path, "%s", path);
    piece->file = now.st_ino;
    piece->at = at;
    piece->size_before = now.st_size;
    piece->size_after = size_after >= 0 ? size_after : (at + (off_t)length > now.st_size ? at + (off_t)length : now.st_size);
    /* what a truncation cuts off is old as well */
    size_t covers = size_after >= 0 && size_after < now.st_size ? (size_t)(now.st_size - size_after) : length;
    piece->old = malloc(covers + 1);
    ssize_t read = pread(fd, piece->old, covers, at);
    piece->old_length = read > 0 ? (size_t)read : 0;
    piece->new = malloc(length + 1);
    memcpy(piece->new, bytes, length);
    piece->new_length = length;
    piece->before = unsynced;
    unsynced = piece;
}

static void forget(int fd)
{
    struct stat now;
    fstat(fd, &now);
    for (struct piece **place = &unsynced; *place;) {
        struct piece *piece = *place;
        if (piece->file == now.st_ino) {
            *place = piece->before;
            free(piece->old);
            free(piece->new);
            free(piece);
        } else {
            place = &piece->before;
        }
    }
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at)
{
    char path[512];
    if (!is_of_a_store(fd, path, sizeof path))
        return real_pwrite(fd, bytes, length, at);
    pthread_mutex_lock(&lock);
    enum verdict verdict = count(WRITE);
    ssize_t written = -1;
    if (verdict == HALF) {
        real_pwrite(fd, bytes, length / 2, at);
        die();
    } else if (verdict == GO_ON) {
        note(fd, path, at, bytes, length, -1);
        written = real_pwrite(fd, bytes, length, at);
    }
    pthread_mutex_unlock(&lock);
    return written;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at)
{
    return pwrite64(fd, bytes, length, at);
}

int ftruncate64(int fd, off_t size)
{
    char path[512];
    if (!is_of_a_store(fd, path, sizeof path))
        return real_ftruncate(fd, size);
    pthread_mutex_lock(&lock);
    int outcome = -1;
    if (count(WRITE) != FAIL) {
        note(fd, path, size, "", 0, size);
        outcome = real_ftruncate(fd, size);
    }
    pthread_mutex_unlock(&lock);
    return outcome;
}

int ftruncate(int fd, off_t size)
{
    return ftruncate64(fd, size);
}

static int sync_with(int (*real)(int), int fd)
{
    char path[512];
    if (!is_of_a_store(fd, path, sizeof path))
        return real(fd);
    pthread_mutex_lock(&lock);
    int outcome = -1;
    if (count(SYNC) != FAIL) {
        int lies = getenv("FAULT_LIES") != NULL;
        outcome = lies ? 0 : real(fd);
        if (outcome == 0 && !lies)
            forget(fd);
    }
    pthread_mutex_unlock(&lock);
    return outcome;
}

int fsync(int fd)
{
    return sync_with(real_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_with(real_fdatasync, fd);
}
