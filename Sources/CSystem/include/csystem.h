// Linux calls that the Swift Glibc module does not carry: they need _GNU_SOURCE, are variadic, or lie in other headers.
#ifndef SEALIFT_CSYSTEM_H
#define SEALIFT_CSYSTEM_H

#include <stddef.h>
#include <stdint.h>

#include "mapguard.h"
#include "spawn.h"

/// Starts writing back a range of a file (SYNC_FILE_RANGE_WRITE). 0, or -1 with errno.
int cs_sync_file_range(int fd, long long offset, long long length);

/// Writes back everything of the file system that holds fd. 0, or -1 with errno.
int cs_syncfs(int fd);

/// Asks the system to forget what it holds in memory of a file, as far as it stands on the disk already. 0, or an error number.
int cs_drop_cached(int fd);

/// Pages of a file that the system holds in memory now; -1 where it does not say.
long long cs_cached_pages(int fd);

/// Has a file that is empty share the blocks of another one (FICLONE). 0, or -1 with errno where the file system cannot do that.
int cs_clone_file(int to, int from);

/// copy_file_range at the same offset in both files: bytes copied, 0 at the end, or -1 with errno.
long cs_copy_file_range(int from, int to, long long offset, size_t length);

/// One getdents64 call: bytes filled into buffer, 0 at the end, or -1 with errno.
long cs_getdents64(int fd, void *buffer, size_t capacity);

/// openat with O_RDONLY | O_CLOEXEC | O_NONBLOCK, without updating the access time where the caller may ask for that.
int cs_open_read(int directory, const char *name);

/// openat with O_RDONLY | O_DIRECTORY | O_CLOEXEC.
int cs_open_directory(int directory, const char *name);

/// cs_open_directory that never follows a link: -1 with ELOOP or ENOTDIR where one stands.
int cs_open_own_directory(int directory, const char *name);

/// openat with the flags given, and never through a link or waiting for a FIFO (O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC).
int cs_open_own_file(int directory, const char *name, int flags, unsigned mode);

/// A file of mode 0600 in a folder that has no name yet (O_TMPFILE), for reading and writing. -1 with errno, EOPNOTSUPP where the
/// file system has none.
int cs_open_unnamed(const char *folder);

/// Gives such a file a name where nothing is. 0, or -1 with errno (EEXIST).
int cs_give_name(int file, const char *path);

/// renameat2 with RENAME_NOREPLACE. 0, or -1 with errno (EEXIST if the target is there, EINVAL where the file system
/// cannot do it).
int cs_rename_noreplace(int from_directory, const char *from, int to_directory, const char *to);

/// renameat2 with RENAME_EXCHANGE: both names change places in one step. 0, or -1 with errno (EINVAL as above).
int cs_rename_exchange(int one_directory, const char *one, int other_directory, const char *other);

/// Whether something is mounted at the path (statx, STATX_ATTR_MOUNT_ROOT, Linux 5.8 and later); 0 where the system does
/// not say.
int cs_is_mount_root(const char *path);

/// Gives memory that was freed back to the system (malloc_trim), of all threads.
void cs_release_freed_memory(void);

/// Lets no core file of this process be written (RLIMIT_CORE), and none that a program is handed hold its memory
/// (coredump_filter). Where looks are forbidden as well (PR_SET_DUMPABLE), nobody but root can look into the process, itself
/// included: /proc/self is closed to it then, which LMDB's guard needs.
void cs_forbid_core_dumps(int forbids_looks);

/// Lets all threads share one heap (M_ARENA_MAX) instead of reserving 64 MiB of address space for each.
void cs_share_one_heap(void);

/// A set of identities, open addressing: `mask` + 1 slots, a power of two and always more than there are identities. An
/// identity is not 0 and has its lowest bit clear; in a slot that bit tells that it was seen.
/// Adds one, by one thread: 0 if it was there.
int cs_known_add(uint64_t *slots, uint64_t mask, uint64_t identity);
/// Marks one as seen, by any thread: 0 if it is not there.
int cs_known_mark(uint64_t *slots, uint64_t mask, uint64_t identity);
/// 0 if it is not there, 1 if it was not seen, 2 if it was.
int cs_known_state(uint64_t *slots, uint64_t mask, uint64_t identity);

#endif
