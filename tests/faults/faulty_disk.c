/* A disk that fails: loaded before the C library (LD_PRELOAD), it lets the n-th operation on files
 * below a folder fail with an error number, once or from there on. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WRITES = 1, READS = 2 };
static char below[PATH_MAX];
static int what, number, goes_on;
static long nth, count, failed;

void fault_arm(const char *folder, int operations, long place, int error, int sticky) {
    count = failed = 0, nth = place, number = error, goes_on = sticky;
    strncpy(below, folder, sizeof below - 1);
    what = operations;
}
long fault_disarm(void) { what = 0; return count; }
long fault_failed(void) { return failed; }

static int is_due(int operation, const char *path, int may_stick) {
    if (operation != what || strncmp(path, below, strlen(below))) return 0;
    count++;
    if (count != nth && !(goes_on && may_stick && count > nth)) return 0;
    failed++, errno = number;
    return 1;
}
static int is_due_at(int operation, const char *path, int may_stick) {
    char whole[2 * PATH_MAX] = "";
    if (operation != what) return 0;
    if (path[0] != '/' && getcwd(whole, PATH_MAX)) strcat(whole, "/");
    strncat(whole, path, PATH_MAX - 1);
    return is_due(operation, whole, may_stick);
}
static int is_due_in(int operation, int fd) {
    char link[64], path[PATH_MAX];
    ssize_t size;
    if (operation != what) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if ((size = readlink(link, path, sizeof path - 1)) < 0) return 0;
    path[size] = 0;
    return is_due(operation, path, 1);
}
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define MODE(last) va_list a; va_start(a, last); mode_t mode = va_arg(a, mode_t); va_end(a)
#define OPENS(flags) ((flags) & (O_CREAT | O_TRUNC) ? WRITES : READS)

int open(const char *path, int flags, ...) { MODE(flags); return is_due_at(OPENS(flags), path, 1) ? -1 : NEXT(open)(path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags); return is_due_at(OPENS(flags), path, 1) ? -1 : NEXT(open64)(path, flags, mode); }
int openat(int d, const char *path, int flags, ...) { MODE(flags); return is_due_at(OPENS(flags), path, 1) ? -1 : NEXT(openat)(d, path, flags, mode); }
int openat64(int d, const char *path, int flags, ...) { MODE(flags); return is_due_at(OPENS(flags), path, 1) ? -1 : NEXT(openat64)(d, path, flags, mode); }
FILE *fopen(const char *path, const char *m) { return is_due_at(strchr(m, 'r') ? READS : WRITES, path, 1) ? NULL : NEXT(fopen)(path, m); }
FILE *fopen64(const char *path, const char *m) { return is_due_at(strchr(m, 'r') ? READS : WRITES, path, 1) ? NULL : NEXT(fopen64)(path, m); }
ssize_t write(int fd, const void *b, size_t n) { return is_due_in(WRITES, fd) ? -1 : NEXT(write)(fd, b, n); }
ssize_t pwrite(int fd, const void *b, size_t n, off_t o) { return is_due_in(WRITES, fd) ? -1 : NEXT(pwrite)(fd, b, n, o); }
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t o) { return is_due_in(WRITES, fd) ? -1 : NEXT(pwrite64)(fd, b, n, o); }
ssize_t writev(int fd, const struct iovec *v, int n) { return is_due_in(WRITES, fd) ? -1 : NEXT(writev)(fd, v, n); }
size_t fwrite(const void *b, size_t s, size_t n, FILE *f) { return is_due_in(WRITES, fileno(f)) ? 0 : NEXT(fwrite)(b, s, n, f); }
int fflush(FILE *f) { return f && is_due_in(WRITES, fileno(f)) ? EOF : NEXT(fflush)(f); }
int fsync(int fd) { return is_due_in(WRITES, fd) ? -1 : NEXT(fsync)(fd); }
int fdatasync(int fd) { return is_due_in(WRITES, fd) ? -1 : NEXT(fdatasync)(fd); }
int ftruncate(int fd, off_t n) { return is_due_in(WRITES, fd) ? -1 : NEXT(ftruncate)(fd, n); }
int ftruncate64(int fd, off64_t n) { return is_due_in(WRITES, fd) ? -1 : NEXT(ftruncate64)(fd, n); }
int fallocate(int fd, int m, off_t o, off_t n) { return is_due_in(WRITES, fd) ? -1 : NEXT(fallocate)(fd, m, o, n); }
int fallocate64(int fd, int m, off64_t o, off64_t n) { return is_due_in(WRITES, fd) ? -1 : NEXT(fallocate64)(fd, m, o, n); }
int mkdir(const char *path, mode_t m) { return is_due_at(WRITES, path, 1) ? -1 : NEXT(mkdir)(path, m); }
int rename(const char *a, const char *b) { return is_due_at(WRITES, b, 0) ? -1 : NEXT(rename)(a, b); }
ssize_t read(int fd, void *b, size_t n) { return is_due_in(READS, fd) ? -1 : NEXT(read)(fd, b, n); }
ssize_t pread(int fd, void *b, size_t n, off_t o) { return is_due_in(READS, fd) ? -1 : NEXT(pread)(fd, b, n, o); }
ssize_t pread64(int fd, void *b, size_t n, off64_t o) { return is_due_in(READS, fd) ? -1 : NEXT(pread64)(fd, b, n, o); }
ssize_t readv(int fd, const struct iovec *v, int n) { return is_due_in(READS, fd) ? -1 : NEXT(readv)(fd, v, n); }
size_t fread(void *b, size_t s, size_t n, FILE *f) { return is_due_in(READS, fileno(f)) ? 0 : NEXT(fread)(b, s, n, f); }
