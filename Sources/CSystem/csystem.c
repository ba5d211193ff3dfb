#define _GNU_SOURCE
#include "csystem.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int cs_sync_file_range(int fd, long long offset, long long length) {
  return sync_file_range(fd, offset, length, SYNC_FILE_RANGE_WRITE);
}

int cs_syncfs(int fd) { return syncfs(fd); }

long cs_getdents64(int fd, void *buffer, size_t capacity) { return syscall(SYS_getdents64, fd, buffer, capacity); }

int cs_open_read(int directory, const char *name) {
  // O_NONBLOCK: a FIFO in the tree must not hang the walk. O_NOATIME is for owners only, hence the second try.
  int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK;
  int fd = openat(directory, name, flags | O_NOATIME);
  if (fd < 0 && errno == EPERM) fd = openat(directory, name, flags);
  return fd;
}

int cs_open_directory(int directory, const char *name) {
  return openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int cs_open_write(int directory, const char *name, unsigned mode) {
  return openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
}

int cs_rename_noreplace(const char *from, const char *to) {
  return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE);
}

void cs_release_freed_memory(void) { malloc_trim(0); }
