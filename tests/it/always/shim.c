/* Preloaded into the recorder: a file system without locks (NO_FLOCK) or modes (NO_CHMOD), one that does not
   answer (HANG), and a list of the files that are written to the disk (SYNC_LOG). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int flock(int fd, int operation) {
    int (*real)(int, int) = dlsym(RTLD_NEXT, "flock");
    if (getenv("NO_FLOCK")) {
        errno = ENOLCK;
        return -1;
    }
    return real(fd, operation);
}

int mkdir(const char *path, mode_t mode) {
    int (*real)(const char *, mode_t) = dlsym(RTLD_NEXT, "mkdir");
    while (getenv("HANG")) {
        pause();
    }
    return real(path, mode);
}

int chmod(const char *path, mode_t mode) {
    int (*real)(const char *, mode_t) = dlsym(RTLD_NEXT, "chmod");
    errno = EPERM;
    return getenv("NO_CHMOD") ? -1 : real(path, mode);
}

int fchmod(int fd, mode_t mode) {
    int (*real)(int, mode_t) = dlsym(RTLD_NEXT, "fchmod");
    errno = EPERM;
    return getenv("NO_CHMOD") ? -1 : real(fd, mode);
}

int fdatasync(int fd) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    const char *log = getenv("SYNC_LOG");
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    FILE *out = log && length > 0 ? fopen(log, "a") : NULL;
    if (out) {
        path[length] = 0;
        fprintf(out, "%s\n", path);
        fclose(out);
    }
    return real(fd);
}
