// Loaded before a program (LD_PRELOAD): counts the calls by which it changes what is on disk, and ends or halts it just
// before one of them. So a test can kill a run at every point there is, and bring two runs into every order.
//
//   STEPS_KILL=n  the process ends by SIGKILL before its n-th change
//   STEPS_STOP=n  the process halts by SIGSTOP before its n-th change
//   STEPS_KIND=all      also counts files that are made, every kind of write, and what is sent to a service
//   STEPS_KIND=durable  counts only what makes changes durable, here or at a service
//   STEPS_TOTAL=x a process that ends by itself writes the number of its changes into the file x
//   STEPS_DENY=x  nothing is renamed to a path that ends in x (EIO)
//   STEPS_HASTE=1 nothing sleeps: a run that waits for others does not
//   STEPS_LINKLESS=1 no file gets a second name (EPERM), as on some file systems
//   STEPS_PLAIN=1 renameat2 knows no flags, as on some network file systems
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_int steps;

static int is_at(const char *variable, int step) {
  const char *text = getenv(variable);
  return text && atoi(text) == step;
}

enum kind { CHANGES = 1, MORE = 2, DURABLE = 4 };

static void step_of(int kind) {
  const char *wanted = getenv("STEPS_KIND");
  int counted = !wanted ? CHANGES : strcmp(wanted, "durable") == 0 ? DURABLE : CHANGES | MORE;
  if (!(kind & counted)) return;
  int now = atomic_fetch_add(&steps, 1) + 1;
  if (is_at("STEPS_KILL", now)) kill(getpid(), SIGKILL);
  if (is_at("STEPS_STOP", now)) kill(getpid(), SIGSTOP);
}

static void step(void) { step_of(CHANGES); }

__attribute__((destructor)) static void tell_total(void) {
  const char *path = getenv("STEPS_TOTAL");
  FILE *file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%d\n", atomic_load(&steps));
  fclose(file);
}

// A file that is opened so waits for the disk with every write.
static int kind_of_write(int file, int kind) {
  struct stat info;
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) return 0;
  return kind | (fcntl(file, F_GETFL) & O_DSYNC ? DURABLE : 0);
}

#define CHANGE_OF(kind, result, name, parameters, arguments)                        \
  result name parameters {                                                          \
    static result(*original) parameters;                                            \
    if (!original) original = (result(*) parameters)dlsym(RTLD_NEXT, #name);        \
    step_of(kind);                                                                  \
    return original arguments;                                                      \
  }
#define CHANGE(result, name, parameters, arguments) CHANGE_OF(CHANGES, result, name, parameters, arguments)

CHANGE(int, mkdir, (const char *path, mode_t mode), (path, mode))
CHANGE(int, mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode))
CHANGE(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
CHANGE(int, unlink, (const char *path), (path))
CHANGE(int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
CHANGE(int, rmdir, (const char *path), (path))
CHANGE(int, ftruncate, (int file, off_t length), (file, length))
CHANGE(int, ftruncate64, (int file, off_t length), (file, length))
CHANGE_OF(CHANGES | kind_of_write(file, 0), ssize_t, pwrite, (int file, const void *bytes, size_t count, off_t at),
          (file, bytes, count, at))
CHANGE_OF(CHANGES | kind_of_write(file, 0), ssize_t, pwrite64, (int file, const void *bytes, size_t count, off_t at),
          (file, bytes, count, at))
CHANGE_OF(kind_of_write(file, MORE), ssize_t, write, (int file, const void *bytes, size_t count), (file, bytes, count))
CHANGE_OF(kind_of_write(file, MORE), ssize_t, writev, (int file, const struct iovec *parts, int count), (file, parts, count))
CHANGE_OF(kind_of_write(file, MORE), ssize_t, pwritev, (int file, const struct iovec *parts, int count, off_t at),
          (file, parts, count, at))
CHANGE_OF(MORE | DURABLE, ssize_t, send, (int socket, const void *bytes, size_t count, int flags),
          (socket, bytes, count, flags))
CHANGE_OF(MORE | DURABLE, int, syncfs, (int file), (file))
CHANGE(int, fchown, (int file, uid_t user, gid_t group), (file, user, group))
CHANGE(int, fchmod, (int file, mode_t mode), (file, mode))
CHANGE_OF(CHANGES | DURABLE, int, fsync, (int file), (file))
CHANGE_OF(CHANGES | DURABLE, int, fdatasync, (int file), (file))

static int open_file(int folder, const char *path, int flags, mode_t mode) {
  if (flags & (O_CREAT | O_TRUNC)) step_of(MORE);
  return (int)syscall(SYS_openat, folder, path, flags, mode);
}

#define OPENING(name, parameters, folder)                                           \
  int name parameters {                                                             \
    va_list rest;                                                                   \
    va_start(rest, flags);                                                          \
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;         \
    va_end(rest);                                                                   \
    return open_file(folder, path, flags, mode);                                    \
  }
OPENING(open, (const char *path, int flags, ...), AT_FDCWD)
OPENING(open64, (const char *path, int flags, ...), AT_FDCWD)
OPENING(openat, (int folder, const char *path, int flags, ...), folder)
OPENING(openat64, (int folder, const char *path, int flags, ...), folder)

int rename(const char *from, const char *to) {
  static int (*original)(const char *, const char *);
  if (!original) original = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
  step();
  const char *denied = getenv("STEPS_DENY");
  size_t length = strlen(to);
  if (denied && length >= strlen(denied) && strcmp(to + length - strlen(denied), denied) == 0) {
    errno = EIO;
    return -1;
  }
  return original(from, to);
}

int renameat2(int a, const char *from, int b, const char *to, unsigned flags) {
  static int (*original)(int, const char *, int, const char *, unsigned);
  if (!original) original = (int (*)(int, const char *, int, const char *, unsigned))dlsym(RTLD_NEXT, "renameat2");
  step();
  if (flags && getenv("STEPS_PLAIN")) {
    errno = EINVAL;
    return -1;
  }
  return original(a, from, b, to, flags);
}

int linkat(int a, const char *from, int b, const char *to, int flags) {
  static int (*original)(int, const char *, int, const char *, int);
  if (!original) original = (int (*)(int, const char *, int, const char *, int))dlsym(RTLD_NEXT, "linkat");
  step();
  if (getenv("STEPS_LINKLESS")) {
    errno = EPERM;
    return -1;
  }
  return original(a, from, b, to, flags);
}

int usleep(useconds_t time) {
  static int (*original)(useconds_t);
  if (!original) original = (int (*)(useconds_t))dlsym(RTLD_NEXT, "usleep");
  return getenv("STEPS_HASTE") ? 0 : original(time);
}
