#define _GNU_SOURCE
#include "mapguard.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// A slot's base is 0 while it is free. The handler reads slots without a lock: it sees a slot only once its length and
// its fault are set, and no slot is taken back while anybody may still read the map.
#define SLOTS 4096

static struct {
  _Atomic uintptr_t base;
  _Atomic uintptr_t length;
  _Atomic long long fault;
} slots[SLOTS];

// Faults in maps that libraries made, known by the end of the file's name.
#define NAMES 256
#define NAME_BYTES 512

static struct {
  char name[NAME_BYTES];
  _Atomic long long fault;
  _Atomic int used;
} files[NAMES];

static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t installing = PTHREAD_ONCE_INIT;
static struct sigaction before;
static uintptr_t page_bytes = 4096;
// Whether a map found by its file's name was covered, or is about to be.
static _Atomic int named_covers;

// Zeros in place of what cannot be read, from the page of the fault to the end of the map.
static int cover(uintptr_t address, uintptr_t end) {
  uintptr_t page = address & ~(page_bytes - 1);
  uintptr_t stop = (end + page_bytes - 1) & ~(page_bytes - 1);
  void *map = mmap((void *)page, stop - page, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
  return map == MAP_FAILED ? -1 : 0;
}

static int cover_guarded(uintptr_t address) {
  for (int slot = 0; slot < SLOTS; slot++) {
    uintptr_t base = atomic_load(&slots[slot].base);
    if (base == 0 || address < base) continue;
    uintptr_t length = atomic_load(&slots[slot].length);
    if (address - base >= length) continue;
    // The fault is known before anybody can read a zero that is none of the file's.
    long long none = -1;
    atomic_compare_exchange_strong(&slots[slot].fault, &none, (long long)(address - base));
    return cover(address, base + length);
  }
  return -1;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

static const char *hexadecimal(const char *text, uintptr_t *number) {
  int digit;
  *number = 0;
  while ((digit = hex_digit(*text)) >= 0) {
    *number = *number << 4 | (uintptr_t)digit;
    text++;
  }
  return text;
}

// One line of /proc/self/maps: `from-to rights offset device inode   name`. Whether it holds the address of a watched
// file; then the fault is noted in every slot of that file, and covered. What another thread has covered since this one
// faulted has no name any more and can be read: the instruction is tried again.
static int cover_line(const char *line, uintptr_t address) {
  uintptr_t from, to, offset;
  const char *rest = hexadecimal(line, &from);
  if (*rest != '-') return -1;
  rest = hexadecimal(rest + 1, &to);
  if (address < from || address >= to) return -1;
  if (strlen(rest) < 7) return -1;
  hexadecimal(rest + 6, &offset);
  const char *name = strchr(rest, '/');
  if (name == NULL) {
    int is_cover = rest[1] == 'r' && strchr(rest, '[') == NULL && atomic_load(&named_covers) > 0;
    return is_cover ? 0 : -1;
  }
  int is_watched = 0;
  for (int file = 0; file < NAMES; file++) {
    if (!atomic_load(&files[file].used)) continue;
    size_t length = strlen(files[file].name);
    if (strncmp(name, files[file].name, length) != 0) continue;
    // The kernel says so behind the name of a file that was removed.
    if (name[length] != 0 && strcmp(name + length, " (deleted)") != 0) continue;
    long long none = -1;
    atomic_compare_exchange_strong(&files[file].fault, &none, (long long)(offset + (address - from)));
    is_watched = 1;
  }
  if (!is_watched) return -1;
  atomic_store(&named_covers, 1);
  return cover(address, to);
}

// Looks the address up among all maps of the process, with nothing but read: this runs in a signal handler.
static int cover_named(uintptr_t address) {
  int maps = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (maps < 0) return -1;
  char line[NAME_BYTES + 128], chunk[1024];
  size_t filled = 0;
  int result = -1, is_too_long = 0;
  for (;;) {
    ssize_t count = read(maps, chunk, sizeof chunk);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    for (ssize_t index = 0; index < count && result != 0; index++) {
      if (chunk[index] != '\n') {
        if (filled + 1 < sizeof line) line[filled++] = chunk[index];
        else is_too_long = 1;
        continue;
      }
      line[filled] = 0;
      if (!is_too_long) result = cover_line(line, address);
      filled = 0;
      is_too_long = 0;
    }
    if (result == 0) break;
  }
  close(maps);
  return result;
}

static void handle(int number, siginfo_t *info, void *context) {
  (void)context;
  int saved = errno;
  uintptr_t address = (uintptr_t)info->si_addr;
  // A signal that somebody sent has no address.
  int is_fault = info->si_code > 0;
  if (!is_fault || info->si_code != BUS_ADRERR ||
      (cover_guarded(address) != 0 && cover_named(address) != 0)) {
    // Nobody's map: what would have happened without this handler happens.
    sigaction(number, &before, NULL);
    if (!is_fault) raise(number);
  }
  errno = saved;
}

static void install(void) {
  long size = sysconf(_SC_PAGESIZE);
  if (size > 0) page_bytes = (uintptr_t)size;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_RESTART | SA_NODEFER | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &before);
}

int cs_guard_map(const void *base, size_t length) {
  pthread_once(&installing, install);
  pthread_mutex_lock(&changing);
  int found = -1;
  for (int slot = 0; slot < SLOTS && found < 0; slot++) {
    if (atomic_load(&slots[slot].base) != 0) continue;
    atomic_store(&slots[slot].fault, -1);
    atomic_store(&slots[slot].length, (uintptr_t)length);
    atomic_store(&slots[slot].base, (uintptr_t)base);
    found = slot;
  }
  pthread_mutex_unlock(&changing);
  return found;
}

long long cs_guard_fault(int slot) { return slot < 0 || slot >= SLOTS ? -1 : atomic_load(&slots[slot].fault); }

void cs_guard_release(int slot) {
  if (slot < 0 || slot >= SLOTS) return;
  pthread_mutex_lock(&changing);
  atomic_store(&slots[slot].base, 0);
  pthread_mutex_unlock(&changing);
}

int cs_guard_file(const char *name) {
  if (name == NULL || name[0] != '/' || strlen(name) >= NAME_BYTES) return -1;
  pthread_once(&installing, install);
  pthread_mutex_lock(&changing);
  int found = -1;
  for (int file = 0; file < NAMES && found < 0; file++) {
    if (atomic_load(&files[file].used)) continue;
    strcpy(files[file].name, name);
    atomic_store(&files[file].fault, -1);
    atomic_store(&files[file].used, 1);
    found = file;
  }
  pthread_mutex_unlock(&changing);
  return found;
}

long long cs_guard_file_fault(int file) { return file < 0 || file >= NAMES ? -1 : atomic_load(&files[file].fault); }

void cs_guard_file_release(int file) {
  if (file < 0 || file >= NAMES) return;
  pthread_mutex_lock(&changing);
  atomic_store(&files[file].used, 0);
  pthread_mutex_unlock(&changing);
}
