// Maps of files that are cut, or cannot be read, while they are mapped: instead of SIGBUS the reader gets zeros and finds
// out afterwards that it must not use them.
//
// The kernel tells of a page behind the file's end, or one that the disk cannot give, by a signal in the middle of an
// instruction. The handler installed here puts zeros in the page's place, notes the offset, and lets the instruction run
// again. A reader asks for the fault after every piece of work and before it hands on what it read; the fault is set
// before the zeros can be seen.
#ifndef SEALIFT_MAPGUARD_H
#define SEALIFT_MAPGUARD_H

#include <stddef.h>

/// Guards a map from now on. A slot for the calls below, or -1 if there are too many; then the map is not guarded.
int cs_guard_map(const void *base, size_t length);

/// Offset of the first byte that could not be read, or -1.
long long cs_guard_fault(int slot);

/// Ends the guard; before the map is unmapped, when nobody reads it any more.
void cs_guard_release(int slot);

/// Guards whatever maps of a file the process has or will have, for libraries that map files by themselves. The file by
/// its absolute path without links. A number for the calls below, or -1 if it is too long or there are too many.
int cs_guard_file(const char *name);

/// Offset of the first byte of the file that could not be read, or -1.
long long cs_guard_file_fault(int file);

/// Ends the guard.
void cs_guard_file_release(int file);

#endif
