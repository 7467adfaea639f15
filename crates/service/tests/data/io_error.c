/* Fails writes to a database with EIO while a file exists. Loaded into the server with LD_PRELOAD.
 * IO_ERROR_WHILE names the file; databases are files whose path contains "it.db". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(int fd) {
    const char *flag = getenv("IO_ERROR_WHILE");
    if (flag == NULL || access(flag, F_OK) != 0) return 0;
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = '\0';
    return strstr(path, "it.db") != NULL;
}

#define NEXT(name, type) ((type)dlsym(RTLD_NEXT, name))
#define FAIL_OR(call) if (fails(fd)) { errno = EIO; return -1; } return call

ssize_t write(int fd, const void *data, size_t size) {
    FAIL_OR(NEXT("write", ssize_t (*)(int, const void *, size_t))(fd, data, size));
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    FAIL_OR(NEXT("pwrite", ssize_t (*)(int, const void *, size_t, off_t))(fd, data, size, at));
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    FAIL_OR(NEXT("pwrite64", ssize_t (*)(int, const void *, size_t, off64_t))(fd, data, size, at));
}
int fsync(int fd) {
    FAIL_OR(NEXT("fsync", int (*)(int))(fd));
}
int fdatasync(int fd) {
    FAIL_OR(NEXT("fdatasync", int (*)(int))(fd));
}
