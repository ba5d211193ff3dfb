// Loaded before a program (LD_PRELOAD): writes down every call by which it changes a folder, with the bytes, and every call by
// which it makes changes durable. From that Tests/pythonprograms/power_loss.py makes the states a power cut could leave.
//
//   RECORD_ROOT=path  the folder, absolute and without links
//   RECORD_LOG=path   the log: a line a call that succeeds, its numbers and the lengths of the names and bytes behind it
//   RECORD_CUT=n      the process ends by SIGKILL before its n-th call
//   RECORD_PLAIN=1    renameat2 knows no flags, as on some network file systems
//   RECORD_LIE=x:y    a sync of what has a path that ends in x or y is not written down: as of a disk that lies
//
// Nothing is really synced: a process that ends leaves all it wrote to the kernel, and a power cut is made of the log.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PATH_BYTES = 4096, LOG_DESCRIPTOR = 900 };

// One call at a time, so that the log has the order of the calls.
static pthread_mutex_t calls = PTHREAD_MUTEX_INITIALIZER;
static const char *root;
static size_t root_length;
static int log_file = -1;
static int count;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("RECORD_LOG");
  root = getenv("RECORD_ROOT");
  if (!path || !root) return;
  root_length = strlen(root);
  int file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  log_file = fcntl(file, F_DUPFD_CLOEXEC, LOG_DESCRIPTOR);
  syscall(SYS_close, file);
}

static int is_below(const char *path) {
  return log_file >= 0 && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || !path[root_length]);
}

static int path_of(int file, char *path) {
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", file);
  ssize_t length = readlink(name, path, PATH_BYTES - 1);
  path[length < 0 ? 0 : length] = 0;
  return length > 0;
}

// The absolute form of a path, and whether it lies in the folder.
static int resolve(int folder, const char *name, char *path) {
  if (log_file < 0) return 0;
  if (name[0] == '/') {
    snprintf(path, PATH_BYTES, "%s", name);
    return is_below(path);
  }
  char base[PATH_BYTES];
  if (folder == AT_FDCWD ? !getcwd(base, sizeof base) : !path_of(folder, base)) return 0;
  if (snprintf(path, PATH_BYTES, "%s/%s", base, name) >= PATH_BYTES) return 0;
  return is_below(path);
}

// Whether an open file, or folder, lies in the folder and has a name.
static int is_ours(int file, struct stat *info) {
  char path[PATH_BYTES];
  if (log_file < 0 || fstat(file, info) != 0 || info->st_nlink == 0) return 0;
  return (S_ISREG(info->st_mode) || S_ISDIR(info->st_mode)) && path_of(file, path) && is_below(path);
}

static void put(const void *bytes, size_t length) {
  while (length > 0) {
    ssize_t done = syscall(SYS_write, log_file, bytes, length);
    if (done <= 0) abort();
    bytes = (const char *)bytes + done;
    length -= (size_t)done;
  }
}

static void note(const char *what, unsigned long one, unsigned long other, const char *from, const char *to,
                 const void *bytes, size_t length) {
  char line[200];
  int error = errno;
  int head = snprintf(line, sizeof line, "%s %d %lu %lu %zu %zu %zu\n", what, count, one, other, strlen(from), strlen(to),
                      length);
  put(line, (size_t)head);
  put(from, strlen(from));
  put(to, strlen(to));
  put(bytes, length);
  errno = error;
}

static void enter(void) {
  pthread_mutex_lock(&calls);
  const char *cut = getenv("RECORD_CUT");
  if (++count == (cut ? atoi(cut) : -1)) {
    note("cut", 0, 0, "", "", "", 0);
    kill(getpid(), SIGKILL);
  }
}

static long leave(long result) {
  pthread_mutex_unlock(&calls);
  return result;
}

// Files that are opened

static int open_file(int folder, const char *name, int flags, mode_t mode) {
  char path[PATH_BYTES];
  int changes = (flags & (O_CREAT | O_TRUNC)) && (flags & O_TMPFILE) != O_TMPFILE;
  if (!changes || !resolve(folder, name, path)) return (int)syscall(SYS_openat, folder, name, flags, mode);
  enter();
  struct stat info;
  int was_there = fstatat(folder, name, &info, 0) == 0;
  int file = (int)syscall(SYS_openat, folder, name, flags, mode);
  if (file >= 0 && fstat(file, &info) == 0) {
    if (!was_there) note("create", info.st_ino, 0, path, "", "", 0);
    if (was_there && (flags & O_TRUNC)) note("truncate", info.st_ino, 0, "", "", "", 0);
  }
  return (int)leave(file);
}

#define MODE_ARGUMENT(flags)              \
  mode_t mode = 0;                        \
  if ((flags) & (O_CREAT | O_TMPFILE)) {  \
    va_list rest;                         \
    va_start(rest, flags);                \
    mode = va_arg(rest, mode_t);          \
    va_end(rest);                         \
  }

int open(const char *path, int flags, ...) {
  MODE_ARGUMENT(flags)
  return open_file(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
  MODE_ARGUMENT(flags)
  return open_file(AT_FDCWD, path, flags, mode);
}
int openat(int folder, const char *path, int flags, ...) {
  MODE_ARGUMENT(flags)
  return open_file(folder, path, flags, mode);
}
int openat64(int folder, const char *path, int flags, ...) {
  MODE_ARGUMENT(flags)
  return open_file(folder, path, flags, mode);
}
int creat(const char *path, mode_t mode) { return open_file(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

// Bytes

static ssize_t write_vector(int file, const struct iovec *parts, int number, off_t at, int has_place) {
  struct stat info;
  if (!is_ours(file, &info)) {
    ssize_t done = has_place ? syscall(SYS_pwritev, file, parts, number, at, 0) : syscall(SYS_writev, file, parts, number);
    // What the user has been told is true after a power cut as well.
    if (log_file >= 0 && file == STDOUT_FILENO && done > 0 && memmem(parts->iov_base, parts->iov_len, "Success!", 8)) {
      pthread_mutex_lock(&calls);
      note("told", 0, 0, "", "", "", 0);
      leave(0);
    }
    return done;
  }
  enter();
  int flags = fcntl(file, F_GETFL);
  off_t place = has_place ? at : lseek(file, 0, SEEK_CUR);
  fstat(file, &info);
  if (flags & O_APPEND) place = info.st_size;
  ssize_t done = has_place ? syscall(SYS_pwritev, file, parts, number, at, 0) : syscall(SYS_writev, file, parts, number);
  ssize_t left = done;
  for (int part = 0; part < number && left > 0; part++) {
    size_t length = parts[part].iov_len < (size_t)left ? parts[part].iov_len : (size_t)left;
    note(flags & O_DSYNC ? "writesync" : "write", info.st_ino, (unsigned long)place, "", "", parts[part].iov_base, length);
    place += (off_t)length;
    left -= (ssize_t)length;
  }
  return leave(done);
}

ssize_t write(int file, const void *bytes, size_t length) {
  struct iovec part = {(void *)bytes, length};
  return write_vector(file, &part, 1, 0, 0);
}
ssize_t pwrite(int file, const void *bytes, size_t length, off_t at) {
  struct iovec part = {(void *)bytes, length};
  return write_vector(file, &part, 1, at, 1);
}
ssize_t pwrite64(int file, const void *bytes, size_t length, off_t at) { return pwrite(file, bytes, length, at); }
ssize_t writev(int file, const struct iovec *parts, int number) { return write_vector(file, parts, number, 0, 0); }
ssize_t pwritev(int file, const struct iovec *parts, int number, off_t at) {
  return write_vector(file, parts, number, at, 1);
}
ssize_t pwritev64(int file, const struct iovec *parts, int number, off_t at) {
  return write_vector(file, parts, number, at, 1);
}

int ftruncate(int file, off_t length) {
  struct stat info;
  if (!is_ours(file, &info)) return (int)syscall(SYS_ftruncate, file, length);
  enter();
  int result = (int)syscall(SYS_ftruncate, file, length);
  if (result == 0) note("truncate", info.st_ino, (unsigned long)length, "", "", "", 0);
  return (int)leave(result);
}
int ftruncate64(int file, off_t length) { return ftruncate(file, length); }

// Names

static int rename_file(int a, const char *from, int b, const char *to, unsigned flags) {
  char source[PATH_BYTES], target[PATH_BYTES];
  if (flags && getenv("RECORD_PLAIN")) {
    errno = EINVAL;
    return -1;
  }
  int is_known = resolve(a, from, source) & resolve(b, to, target);
  if (!is_known) return (int)syscall(SYS_renameat2, a, from, b, to, flags);
  enter();
  int result = (int)syscall(SYS_renameat2, a, from, b, to, flags);
  if (result == 0) note(flags & RENAME_EXCHANGE ? "exchange" : "rename", 0, 0, source, target, "", 0);
  return (int)leave(result);
}
int rename(const char *from, const char *to) { return rename_file(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int a, const char *from, int b, const char *to) { return rename_file(a, from, b, to, 0); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) { return rename_file(a, from, b, to, flags); }

int linkat(int a, const char *from, int b, const char *to, int flags) {
  char source[PATH_BYTES], target[PATH_BYTES];
  int is_known = resolve(a, from, source) & resolve(b, to, target);
  if (!is_known) return (int)syscall(SYS_linkat, a, from, b, to, flags);
  enter();
  int result = (int)syscall(SYS_linkat, a, from, b, to, flags);
  if (result == 0) note("link", 0, 0, source, target, "", 0);
  return (int)leave(result);
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int unlinkat(int folder, const char *name, int flags) {
  char path[PATH_BYTES];
  if (!resolve(folder, name, path)) return (int)syscall(SYS_unlinkat, folder, name, flags);
  enter();
  int result = (int)syscall(SYS_unlinkat, folder, name, flags);
  if (result == 0) note("remove", 0, 0, path, "", "", 0);
  return (int)leave(result);
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int folder, const char *name, mode_t mode) {
  char path[PATH_BYTES];
  if (!resolve(folder, name, path)) return (int)syscall(SYS_mkdirat, folder, name, mode);
  enter();
  int result = (int)syscall(SYS_mkdirat, folder, name, mode);
  struct stat info;
  if (result == 0 && fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
    note("mkdir", info.st_ino, 0, path, "", "", 0);
  }
  return (int)leave(result);
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

// Syncs

static int is_lied_about(const char *path) {
  const char *lie = getenv("RECORD_LIE");
  size_t length = strlen(path);
  while (lie && *lie) {
    size_t end = strcspn(lie, ":");
    if (length >= end && strncmp(path + length - end, lie, end) == 0) return 1;
    lie += end + (lie[end] == ':');
  }
  return 0;
}

int fsync(int file) {
  struct stat info;
  char path[PATH_BYTES];
  if (!is_ours(file, &info)) return (int)syscall(SYS_fsync, file);
  enter();
  if (path_of(file, path) && !is_lied_about(path)) note("sync", info.st_ino, 0, path, "", "", 0);
  return (int)leave(0);
}
int fdatasync(int file) { return fsync(file); }

int syncfs(int file) {
  struct stat info;
  if (!is_ours(file, &info)) return (int)syscall(SYS_syncfs, file);
  enter();
  if (!is_lied_about("syncfs")) note("syncall", 0, 0, "", "", "", 0);
  return (int)leave(0);
}

// What would change files past this log is an error of the test, which it reports.

static void *map_file(void *place, size_t length, int protection, int flags, int file, off_t at) {
  struct stat info;
  char path[PATH_BYTES] = "";
  int is_written = (protection & PROT_WRITE) && (flags & MAP_SHARED) && !(flags & MAP_ANONYMOUS);
  if (is_written && is_ours(file, &info) && path_of(file, path)) {
    enter();
    note("unknown", info.st_ino, 0, path, "mmap", "", 0);
    leave(0);
  }
  return (void *)syscall(SYS_mmap, place, length, protection, flags, file, at);
}
void *mmap(void *place, size_t length, int protection, int flags, int file, off_t at) {
  return map_file(place, length, protection, flags, file, at);
}
void *mmap64(void *place, size_t length, int protection, int flags, int file, off_t at) {
  return map_file(place, length, protection, flags, file, at);
}

#define UNKNOWN(result, name, parameters, arguments, file)                       \
  result name parameters {                                                       \
    static result(*original) parameters;                                         \
    if (!original) original = (result(*) parameters)dlsym(RTLD_NEXT, #name);     \
    struct stat info;                                                            \
    if (is_ours(file, &info)) {                                                  \
      enter();                                                                   \
      note("unknown", info.st_ino, 0, "", #name, "", 0);                         \
      leave(0);                                                                  \
    }                                                                            \
    return original arguments;                                                   \
  }
UNKNOWN(int, fallocate, (int file, int mode, off_t at, off_t length), (file, mode, at, length), file)
UNKNOWN(int, posix_fallocate, (int file, off_t at, off_t length), (file, at, length), file)
UNKNOWN(int, posix_fallocate64, (int file, off_t at, off_t length), (file, at, length), file)
UNKNOWN(ssize_t, copy_file_range, (int from, off_t *a, int to, off_t *b, size_t length, unsigned flags),
        (from, a, to, b, length, flags), to)
UNKNOWN(ssize_t, sendfile, (int to, int from, off_t *at, size_t length), (to, from, at, length), to)
