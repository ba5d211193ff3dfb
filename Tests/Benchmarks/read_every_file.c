// A bare walk: opens and reads every file below a folder, doing nothing with it. usage: read_every_file ROOT [THREADS]
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct folder {
  struct folder *next;
  char path[];
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct folder *waiting;
static int busy;
static long files, bytes;

static void add(const char *parent, const char *name) {
  struct folder *folder = malloc(sizeof *folder + strlen(parent) + strlen(name) + 2);
  sprintf(folder->path, "%s%s%s", parent, *parent ? "/" : "", name);
  pthread_mutex_lock(&mutex);
  folder->next = waiting;
  waiting = folder;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&mutex);
}

static void read_folder(const char *path, char *buffer, size_t size, long *files, long *bytes) {
  DIR *folder = opendir(path);
  if (!folder) return;
  for (struct dirent *entry; (entry = readdir(folder));) {
    if (entry->d_type == DT_DIR) {
      if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..")) add(path, entry->d_name);
      continue;
    }
    int file = openat(dirfd(folder), entry->d_name, O_RDONLY);
    if (file < 0) continue;
    ssize_t got;
    while ((got = read(file, buffer, size)) > 0) *bytes += got;
    close(file);
    (*files)++;
  }
  closedir(folder);
}

// Folders are shared out one by one.
static void *work(void *unused) {
  size_t size = 1 << 20;
  char *buffer = malloc(size);
  long own_files = 0, own_bytes = 0;
  pthread_mutex_lock(&mutex);
  while (waiting || busy) {
    struct folder *folder = waiting;
    if (!folder) {
      pthread_cond_wait(&changed, &mutex);
      continue;
    }
    waiting = folder->next;
    busy++;
    pthread_mutex_unlock(&mutex);
    read_folder(folder->path, buffer, size, &own_files, &own_bytes);
    free(folder);
    pthread_mutex_lock(&mutex);
    busy--;
    if (!waiting && !busy) pthread_cond_broadcast(&changed);
  }
  files += own_files;
  bytes += own_bytes;
  pthread_mutex_unlock(&mutex);
  free(buffer);
  return unused;
}

int main(int count, char **arguments) {
  if (count < 2 || count > 3) return fprintf(stderr, "usage: read_every_file ROOT [THREADS]\n"), 2;
  int threads = count == 3 ? atoi(arguments[2]) : 1;
  if (threads < 1 || threads > 64) return fprintf(stderr, "1 to 64 threads\n"), 2;
  pthread_t handles[64];
  add("", arguments[1]);
  for (int index = 0; index < threads; index++) pthread_create(&handles[index], 0, work, 0);
  for (int index = 0; index < threads; index++) pthread_join(handles[index], 0);
  printf("%ld files, %ld bytes\n", files, bytes);
  return 0;
}
