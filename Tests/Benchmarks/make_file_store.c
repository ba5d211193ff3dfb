// Writes a store in the layout of `storage "file"`: COUNT entries of BYTES random bytes, 1,000 to a folder.
// usage: make_file_store ROOT COUNT BYTES
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t state = 88172645463325252ull;
static uint64_t next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t envelope(char *text, const unsigned char *value, size_t count) {
  size_t used = 0;
  memcpy(text, "{\"Value\":\"", 10), used = 10;
  for (size_t i = 0; i < count; i += 3) {
    unsigned group = value[i] << 16 | (i + 1 < count ? value[i + 1] : 0) << 8 | (i + 2 < count ? value[i + 2] : 0);
    text[used++] = alphabet[group >> 18];
    text[used++] = alphabet[group >> 12 & 63];
    text[used++] = i + 1 < count ? alphabet[group >> 6 & 63] : '=';
    text[used++] = i + 2 < count ? alphabet[group & 63] : '=';
  }
  memcpy(text + used, "\"}\n", 3);
  return used + 3;
}

static void entry(int folder, const char *name, size_t count) {
  static unsigned char value[1 << 20];
  static char text[(1 << 20) * 4 / 3 + 64];
  for (size_t i = 0; i < count; i += 8) {
    uint64_t r = next();
    memcpy(value + i, &r, 8);
  }
  size_t length = envelope(text, value, count);
  int file = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (file < 0 || write(file, text, length) != (ssize_t)length || close(file) != 0) {
    perror(name);
    exit(1);
  }
}

static int folder(const char *path) {
  if (mkdir(path, 0700) != 0 && access(path, F_OK) != 0) {
    perror(path);
    exit(1);
  }
  return open(path, O_RDONLY | O_DIRECTORY);
}

int main(int count, char **arguments) {
  if (count != 4) return fprintf(stderr, "usage: make_file_store ROOT COUNT BYTES\n"), 2;
  const char *root = arguments[1];
  long entries = atol(arguments[2]);
  size_t bytes = (size_t)atol(arguments[3]);
  if (bytes > 1 << 20) return fprintf(stderr, "at most 1 MiB an entry\n"), 2;
  char path[4096];
  close(folder(root));
  snprintf(path, sizeof path, "%s/core", root);
  int core = folder(path);
  entry(core, "_keyring", 400);
  entry(core, "_seal-config", 130);
  snprintf(path, sizeof path, "%s/logical", root);
  close(folder(path));
  int current = -1;
  for (long i = 0; i < entries - 2; i++) {
    if (i % 1000 == 0) {
      if (current >= 0) close(current);
      snprintf(path, sizeof path, "%s/logical/%016llx%016llx", root, (unsigned long long)next(), (unsigned long long)next());
      current = folder(path);
    }
    char name[64];
    snprintf(name, sizeof name, "_%016llx%016llx", (unsigned long long)next(), (unsigned long long)next());
    entry(current, name, bytes);
  }
  return 0;
}
