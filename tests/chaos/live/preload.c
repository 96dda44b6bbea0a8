/* Faults of disks and clocks, for the process that preloads this. What is to go wrong stands in a small file that the
 * harness writes and every such process maps. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Integers of 64 bits, in this order, as preload.py writes them. */
struct orders {
    long long fsync_delay_us; /* every fsync takes so much longer */
    long long fsync_failures; /* so many of the next ones fail */
    long long disk_full;      /* 1: no file takes any more */
    long long clock_offset_s; /* the wall clock is off by so much */
};

static struct orders nothing;
static struct orders *volatile orders = &nothing;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CHAOS_ORDERS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof(struct orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        orders = mapped;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int fails(void) {
    if (orders->fsync_delay_us > 0)
        usleep(orders->fsync_delay_us);
    if (orders->fsync_failures > 0 && __sync_fetch_and_sub(&orders->fsync_failures, 1) > 0) {
        errno = EIO;
        return 1;
    }
    return 0;
}

/* Sockets and pipes have no disk, and what the servers say of it all must be heard. */
static int is_full(int fd) {
    struct stat about;
    if (!orders->disk_full || fd <= 2 || fstat(fd, &about) || !S_ISREG(about.st_mode))
        return 0;
    errno = ENOSPC;
    return 1;
}

int fsync(int fd) {
    static int (*real)(int);
    if (!real)
        real = REAL(fsync);
    return fails() ? -1 : real(fd);
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real)
        real = REAL(fdatasync);
    return fails() ? -1 : real(fd);
}

ssize_t write(int fd, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        real = REAL(write);
    return is_full(fd) ? -1 : real(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (!real)
        real = REAL(pwrite);
    return is_full(fd) ? -1 : real(fd, data, size, at);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) { return pwrite(fd, data, size, at); }

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    static ssize_t (*real)(int, const struct iovec *, int, off_t);
    if (!real)
        real = REAL(pwritev);
    return is_full(fd) ? -1 : real(fd, parts, count, at);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) { return pwritev(fd, parts, count, at); }

/* This one answers the error's number. */
int posix_fallocate(int fd, off_t from, off_t size) {
    static int (*real)(int, off_t, off_t);
    if (!real)
        real = REAL(posix_fallocate);
    return is_full(fd) ? ENOSPC : real(fd, from, size);
}

int posix_fallocate64(int fd, off_t from, off_t size) { return posix_fallocate(fd, from, size); }

int clock_gettime(clockid_t which, struct timespec *at) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real)
        real = REAL(clock_gettime);
    int answer = real(which, at);
    if (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)
        at->tv_sec += orders->clock_offset_s;
    return answer;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    (void)zone;
    struct timespec exactly;
    clock_gettime(CLOCK_REALTIME, &exactly);
    at->tv_sec = exactly.tv_sec;
    at->tv_usec = exactly.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec exactly;
    clock_gettime(CLOCK_REALTIME, &exactly);
    if (at)
        *at = exactly.tv_sec;
    return exactly.tv_sec;
}
