#define _GNU_SOURCE
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Between fork and exec only what may be called in a signal handler (signal-safety(7)): other threads of the parent may
// have held any lock.

static int put(const char *path, const char *text, size_t length) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t count = write(fd, text, length);
  int number = errno;
  close(fd);
  errno = number;
  return count == (ssize_t)length ? 0 : -1;
}

// "ID ID 1\n": the one user or group that there is in the new namespace is the one outside.
static size_t same_id(char *text, unsigned id) {
  char digits[12];
  size_t count = 0, length = 0;
  do {
    digits[count++] = (char)('0' + id % 10);
    id /= 10;
  } while (id > 0);
  for (int part = 0; part < 2; part++) {
    for (size_t index = count; index > 0; index--) text[length++] = digits[index - 1];
    text[length++] = ' ';
  }
  text[length++] = '1';
  text[length++] = '\n';
  return length;
}

// In a network of its own a process finds a loopback interface that is down.
static int raise_loopback(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  struct ifreq request;
  memset(&request, 0, sizeof request);
  memcpy(request.ifr_name, "lo", 3);
  int result = ioctl(fd, SIOCGIFFLAGS, &request);
  request.ifr_flags |= IFF_UP;
  if (result == 0) result = ioctl(fd, SIOCSIFFLAGS, &request);
  int number = errno;
  close(fd);
  errno = number;
  return result;
}

// With a user namespace anybody may have one, where that is allowed; root may have one without.
static int cut_network(unsigned user, unsigned group) {
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
    if (user != 0 || unshare(CLONE_NEWNET) != 0) return -1;
    return raise_loopback();
  }
  char text[64];
  if (put("/proc/self/uid_map", text, same_id(text, user)) != 0) return -1;
  // Before Linux 3.19 there is no such file, and no need for it.
  if (put("/proc/self/setgroups", "deny", 4) != 0 && errno != ENOENT) return -1;
  if (put("/proc/self/gid_map", text, same_id(text, group)) != 0) return -1;
  return raise_loopback();
}

static void tell(int channel, int stage) {
  int report[2] = {stage, errno};
  ssize_t count = write(channel, report, sizeof report);
  _exit(count == sizeof report ? 127 : 126);
}

static void close_from(int first) {
  if (syscall(SYS_close_range, first, ~0U, 0) == 0) return;
  struct rlimit limit;
  int end = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (int)limit.rlim_cur : 65536;
  for (int fd = first; fd < end; fd++) close(fd);
}

static void become(const struct cs_spawned *what, int channel, int parent, unsigned user, unsigned group) {
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  setpgid(0, 0);
  if (what->cuts_network && cut_network(user, group) != 0) tell(channel, CS_SPAWN_NETWORK);
  if (chdir(what->folder) != 0) tell(channel, CS_SPAWN_FOLDER);
  // The channel is the one descriptor above the outputs; it goes with exec.
  int empty = open("/dev/null", O_RDONLY);
  if (empty < 0 || dup2(empty, 0) < 0 || dup2(what->output, 1) < 0 || dup2(what->output, 2) < 0 ||
      dup2(channel, 3) < 0 || fcntl(3, F_SETFD, FD_CLOEXEC) != 0)
    tell(channel, CS_SPAWN_PROGRAM);
  close_from(4);
  channel = 3;
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t nothing;
  sigemptyset(&nothing);
  sigprocmask(SIG_SETMASK, &nothing, NULL);
  // Behind the namespace, which may undo it.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) tell(channel, CS_SPAWN_PROGRAM);
  if (getppid() != parent) _exit(127);
  execve(what->program, what->arguments, what->environment);
  tell(channel, CS_SPAWN_PROGRAM);
}

static pid_t fork_without_signals(int *is_child) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_t child = fork();
  *is_child = child == 0;
  int number = errno;
  if (child != 0) pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = number;
  return child;
}

int cs_spawn(const struct cs_spawned *what, int *stage) {
  int channel[2];
  *stage = CS_SPAWN_FORK;
  if (pipe2(channel, O_CLOEXEC) != 0) return -1;
  // Out of the way of the descriptors that the child puts in their places.
  for (int end = 0; end < 2; end++) {
    int moved = fcntl(channel[end], F_DUPFD_CLOEXEC, 10);
    if (moved < 0) {
      int number = errno;
      close(channel[0]);
      close(channel[1]);
      errno = number;
      return -1;
    }
    close(channel[end]);
    channel[end] = moved;
  }
  unsigned user = geteuid(), group = getegid();
  int parent = getpid(), is_child = 0;
  pid_t child = fork_without_signals(&is_child);
  if (is_child) become(what, channel[1], parent, user, group);
  int number = errno;
  close(channel[1]);
  if (child < 0) {
    close(channel[0]);
    errno = number;
    return -1;
  }
  int report[2];
  ssize_t count;
  do {
    count = read(channel[0], report, sizeof report);
  } while (count < 0 && errno == EINTR);
  close(channel[0]);
  if (count == 0) return child;
  while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
  }
  *stage = count == sizeof report ? report[0] : CS_SPAWN_PROGRAM;
  errno = count == sizeof report ? report[1] : EIO;
  return -1;
}

int cs_can_cut_network(void) {
  unsigned user = geteuid(), group = getegid();
  int is_child = 0;
  pid_t child = fork_without_signals(&is_child);
  if (is_child) _exit(cut_network(user, group) == 0 ? 0 : errno > 0 && errno < 250 ? errno : 250);
  if (child < 0) return errno;
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return errno;
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}
