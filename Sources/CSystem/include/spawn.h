// Starts a program that cannot outlive this one, in surroundings of its own.
#ifndef SEALIFT_SPAWN_H
#define SEALIFT_SPAWN_H

/// What cs_spawn starts, and in what.
struct cs_spawned {
  /// Absolute path of the program, its arguments and its whole environment, the lists ended by NULL.
  const char *program;
  char *const *arguments;
  char *const *environment;
  /// Working directory.
  const char *folder;
  /// Descriptor that takes both of its outputs; every other one of this process is closed there.
  int output;
  /// Whether it gets a network of its own with nothing but a loopback interface.
  int cuts_network;
};

/// Where cs_spawn failed.
enum { CS_SPAWN_FORK = 1, CS_SPAWN_NETWORK = 2, CS_SPAWN_FOLDER = 3, CS_SPAWN_PROGRAM = 4 };

/// Starts a program in a process group of its own. It gets SIGKILL when the thread that calls this ends, writes no core file,
/// and has all signals as a shell would give them. Its process id once it runs, or -1 with errno and the stage.
int cs_spawn(const struct cs_spawned *what, int *stage);

/// Whether a process may have a network of its own here: 0, or the number of the error.
int cs_can_cut_network(void);

#endif
