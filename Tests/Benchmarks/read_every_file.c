// A bare walk: opens and reads every file below a folder, doing nothing with it. usage: read_every_file ROOT
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <unistd.h>

int main(int count, char **arguments) {
  static char buffer[1 << 20];
  if (count != 2) return fprintf(stderr, "usage: read_every_file ROOT\n"), 2;
  char *roots[] = {arguments[1], 0};
  FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOSTAT, 0);
  FTSENT *entry;
  long files = 0, bytes = 0;
  while ((entry = fts_read(walk))) {
    if (entry->fts_info != FTS_F && entry->fts_info != FTS_NSOK) continue;
    int file = open(entry->fts_accpath, O_RDONLY);
    if (file < 0) continue;
    ssize_t got;
    while ((got = read(file, buffer, sizeof buffer)) > 0) bytes += got;
    close(file);
    files++;
  }
  printf("%ld files, %ld bytes\n", files, bytes);
  return fts_close(walk);
}
