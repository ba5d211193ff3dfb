// Loaded before a program (LD_PRELOAD): counts the calls by which it changes what is on disk, and ends or halts it just
// before one of them. So a test can kill a run at every point there is, and bring two runs into every order.
//
//   STEPS_KILL=n  the process ends by SIGKILL before its n-th change
//   STEPS_STOP=n  the process halts by SIGSTOP before its n-th change
//   STEPS_DENY=x  nothing is renamed to a path that ends in x (EIO)
//   STEPS_HASTE=1 nothing sleeps: a run that waits for others does not
//   STEPS_LINKLESS=1 no file gets a second name (EPERM), as on some file systems
//   STEPS_PLAIN=1 renameat2 knows no flags, as on some network file systems
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_int steps;

static int is_at(const char *variable, int step) {
  const char *text = getenv(variable);
  return text && atoi(text) == step;
}

static void step(void) {
  int now = atomic_fetch_add(&steps, 1) + 1;
  if (is_at("STEPS_KILL", now)) kill(getpid(), SIGKILL);
  if (is_at("STEPS_STOP", now)) kill(getpid(), SIGSTOP);
}

#define CHANGE(result, name, parameters, arguments)                                 \
  result name parameters {                                                          \
    static result(*original) parameters;                                            \
    if (!original) original = (result(*) parameters)dlsym(RTLD_NEXT, #name);        \
    step();                                                                         \
    return original arguments;                                                      \
  }

CHANGE(int, mkdir, (const char *path, mode_t mode), (path, mode))
CHANGE(int, mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode))
CHANGE(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
CHANGE(int, unlink, (const char *path), (path))
CHANGE(int, unlinkat, (int folder, const char *path, int flags), (folder, path, flags))
CHANGE(int, rmdir, (const char *path), (path))
CHANGE(int, ftruncate, (int file, off_t length), (file, length))
CHANGE(int, ftruncate64, (int file, off_t length), (file, length))
CHANGE(ssize_t, pwrite, (int file, const void *bytes, size_t count, off_t at), (file, bytes, count, at))
CHANGE(ssize_t, pwrite64, (int file, const void *bytes, size_t count, off_t at), (file, bytes, count, at))
CHANGE(int, fchown, (int file, uid_t user, gid_t group), (file, user, group))
CHANGE(int, fchmod, (int file, mode_t mode), (file, mode))
CHANGE(int, fsync, (int file), (file))
CHANGE(int, fdatasync, (int file), (file))

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
