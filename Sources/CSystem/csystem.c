#define _GNU_SOURCE
#include "csystem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int cs_sync_file_range(int fd, long long offset, long long length) {
  return sync_file_range(fd, offset, length, SYNC_FILE_RANGE_WRITE);
}

int cs_syncfs(int fd) { return syncfs(fd); }

int cs_open_unnamed(const char *folder) { return open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); }

int cs_give_name(int file, const char *path) {
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", file);
  return linkat(AT_FDCWD, name, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
}

int cs_clone_file(int to, int from) { return ioctl(to, FICLONE, from); }

long cs_copy_file_range(int from, int to, long long offset, size_t length) {
  off64_t source = offset, target = offset;
  return copy_file_range(from, &source, to, &target, length, 0);
}

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

int cs_open_own_directory(int directory, const char *name) {
  return openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int cs_open_own_file(int directory, const char *name, int flags, unsigned mode) {
  return openat(directory, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, mode);
}

int cs_rename_noreplace(int from_directory, const char *from, int to_directory, const char *to) {
  return renameat2(from_directory, from, to_directory, to, RENAME_NOREPLACE);
}

int cs_rename_exchange(int one_directory, const char *one, int other_directory, const char *other) {
  return renameat2(one_directory, one, other_directory, other, RENAME_EXCHANGE);
}

int cs_is_mount_root(const char *path) {
  struct statx status;
  if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT, 0, &status) != 0) return 0;
  return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

void cs_release_freed_memory(void) { malloc_trim(0); }

void cs_forbid_core_dumps(int forbids_looks) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  // A program that the kernel pipes core files to is asked whatever the limit is; this leaves it no memory to see.
  int filter = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
  if (filter >= 0) {
    if (write(filter, "0", 1) < 0) errno = 0;
    close(filter);
  }
  if (forbids_looks) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void cs_share_one_heap(void) { mallopt(M_ARENA_MAX, 1); }

/// Where an identity stands, or the empty slot where it would.
static uint64_t *known_slot(uint64_t *slots, uint64_t mask, uint64_t identity) {
  for (uint64_t place = (identity >> 1) & mask;; place = (place + 1) & mask) {
    uint64_t found = __atomic_load_n(&slots[place], __ATOMIC_RELAXED) & ~1ull;
    if (found == 0 || found == identity) return &slots[place];
  }
}

int cs_known_add(uint64_t *slots, uint64_t mask, uint64_t identity) {
  uint64_t *slot = known_slot(slots, mask, identity);
  if (*slot != 0) return 0;
  *slot = identity;
  return 1;
}

int cs_known_mark(uint64_t *slots, uint64_t mask, uint64_t identity) {
  uint64_t *slot = known_slot(slots, mask, identity);
  if (__atomic_load_n(slot, __ATOMIC_RELAXED) == 0) return 0;
  __atomic_fetch_or(slot, 1, __ATOMIC_RELAXED);
  return 1;
}

int cs_known_state(uint64_t *slots, uint64_t mask, uint64_t identity) {
  uint64_t value = __atomic_load_n(known_slot(slots, mask, identity), __ATOMIC_RELAXED);
  return value == 0 ? 0 : value & 1 ? 2 : 1;
}

int cs_drop_cached(int fd) { return posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED); }

long long cs_cached_pages(int fd) {
  struct stat status;
  if (fstat(fd, &status) != 0) return -1;
  if (status.st_size == 0) return 0;
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  // A part at a time: the answer takes a byte a page.
  enum { PART = 1 << 28 };
  unsigned char *answer = malloc(PART / page);
  if (!answer) return -1;
  long long pages = 0;
  for (off_t start = 0; start < status.st_size; start += PART) {
    size_t length = status.st_size - start < PART ? (size_t)(status.st_size - start) : PART;
    // Mapped and never touched: no page of it is brought in.
    void *map = mmap(NULL, length, PROT_NONE, MAP_SHARED, fd, start);
    int result = map == MAP_FAILED ? -1 : mincore(map, length, answer);
    if (map != MAP_FAILED) munmap(map, length);
    if (result != 0) {
      free(answer);
      return -1;
    }
    for (size_t index = 0; index < (length + page - 1) / page; index++) pages += answer[index] & 1;
  }
  free(answer);
  return pages;
}
