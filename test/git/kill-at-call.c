/*
 * Preloaded into a program and all its children: counts the calls by which they change files below a directory, and
 * kills them right before a given one, as a power cut or the kernel would. Environment: KILL_BELOW the directory;
 * KILL_STATE a file of zeros that all of them share, big enough for `struct state`; KILL_LOG where each call is named;
 * KILL_AT which call (0: none); KILL_WHO "all", or "one": the process that makes the call.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#define MAX_PIDS 1000

struct state {
  int calls;
  int killed;
  int pid_count;
  int pids[MAX_PIDS];
};

static struct state *state;
static int kill_at, kill_all, log_file = -1;
static const char *below;
static size_t below_length;

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))

static pthread_mutex_t threads = PTHREAD_MUTEX_INITIALIZER;

/* One at a time, among threads and processes: the calls have one order. */
static void lock(void) {
  struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
  pthread_mutex_lock(&threads);
  while (fcntl(log_file, F_SETLKW, &whole) != 0) ;
}

static void unlock(void) {
  struct flock whole = { .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
  fcntl(log_file, F_SETLK, &whole);
  pthread_mutex_unlock(&threads);
}

static void __attribute__((constructor)) begin(void) {
  const char *file = getenv("KILL_STATE"), *log = getenv("KILL_LOG"), *at = getenv("KILL_AT"), *who = getenv("KILL_WHO");
  below = getenv("KILL_BELOW");
  if (file == NULL || log == NULL || below == NULL) return;
  int descriptor = REAL(open)(file, O_RDWR | O_CLOEXEC);
  void *memory = descriptor < 0 ? MAP_FAILED : mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (descriptor >= 0) REAL(close)(descriptor);
  if (memory == MAP_FAILED) return;
  log_file = REAL(open)(log, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  below_length = strlen(below);
  kill_at = at == NULL ? 0 : atoi(at);
  kill_all = who == NULL || strcmp(who, "one") != 0;
  state = memory;
  lock();
  if (state->pid_count < MAX_PIDS) state->pids[state->pid_count++] = getpid();
  unlock();
  if (state->killed && kill_all) kill(getpid(), SIGKILL);
}

/* Nobody goes on: not the others, not this one. */
static void die(void) {
  if (kill_all)
    for (int i = 0; i < state->pid_count; i++)
      if (state->pids[i] != getpid()) kill(state->pids[i], SIGKILL);
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static int is_below(const char *path) {
  return strncmp(path, below, below_length) == 0 && (path[below_length] == '/' || path[below_length] == 0);
}

/* The absolute name of a path; only as far as is needed to tell whether it is below. */
static int lies_below(int directory, const char *path) {
  char base[PATH_MAX], link[64];
  if (state == NULL || path == NULL) return 0;
  if (path[0] == '/') return is_below(path);
  if (directory == AT_FDCWD) return getcwd(base, sizeof base) != NULL && is_below(base);
  snprintf(link, sizeof link, "/proc/self/fd/%d", directory);
  ssize_t length = readlink(link, base, sizeof base - 1);
  if (length < 0) return 0;
  base[length] = 0;
  return is_below(base);
}

/* The name of an open file that is written to below the directory, or NULL. */
static const char *written_file(int descriptor, char *name) {
  char link[64];
  struct stat info;
  if (state == NULL || descriptor == log_file) return NULL;
  int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0 || fstat(descriptor, &info) != 0) return NULL;
  /* Directories are opened to be flushed. */
  if (!S_ISDIR(info.st_mode) && (!S_ISREG(info.st_mode) || (flags & O_ACCMODE) == O_RDONLY)) return NULL;
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, name, PATH_MAX - 1);
  if (length < 0) return NULL;
  name[length] = 0;
  return is_below(name) ? name : NULL;
}

/* One call is about to be made. */
static void step(const char *call, const char *path) {
  char line[PATH_MAX + 200];
  if (state->killed && kill_all) die();
  lock();
  if (state->killed && kill_all) die();
  int number = ++state->calls;
  int length = snprintf(line, sizeof line, "%d %s %s %s\n", number, program_invocation_short_name, call, path);
  if (REAL(write)(log_file, line, (size_t)length) < 0) abort();
  if (number == kill_at) {
    state->killed = 1;
    die();
  }
  unlock();
}

#define STEP_AT(call, directory, path) if (lies_below(directory, path)) step(call, path)
#define STEP_ON(call, descriptor) do { char name[PATH_MAX]; const char *file = written_file(descriptor, name); if (file != NULL) step(call, file); } while (0)
#define MODE_OF(flags) mode_t mode = 0; if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
#define CHANGES(flags) ((flags) & (O_CREAT | O_TRUNC))

int open(const char *path, int flags, ...) { MODE_OF(flags); if (CHANGES(flags)) STEP_AT("open", AT_FDCWD, path); return REAL(open)(path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_OF(flags); if (CHANGES(flags)) STEP_AT("open", AT_FDCWD, path); return REAL(open64)(path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE_OF(flags); if (CHANGES(flags)) STEP_AT("open", at, path); return REAL(openat)(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE_OF(flags); if (CHANGES(flags)) STEP_AT("open", at, path); return REAL(openat64)(at, path, flags, mode); }
int creat(const char *path, mode_t mode) { STEP_AT("open", AT_FDCWD, path); return REAL(creat)(path, mode); }

ssize_t write(int fd, const void *bytes, size_t count) { STEP_ON("write", fd); return REAL(write)(fd, bytes, count); }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { STEP_ON("write", fd); return REAL(pwrite)(fd, bytes, count, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) { STEP_ON("write", fd); return REAL(pwrite64)(fd, bytes, count, at); }
ssize_t writev(int fd, const struct iovec *parts, int count) { STEP_ON("write", fd); return REAL(writev)(fd, parts, count); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { STEP_ON("write", fd); return REAL(pwritev)(fd, parts, count, at); }
ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t count, unsigned flags) { STEP_ON("write", to); return REAL(copy_file_range)(from, from_at, to, to_at, count, flags); }
int ftruncate(int fd, off_t size) { STEP_ON("truncate", fd); return REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { STEP_ON("truncate", fd); return REAL(ftruncate64)(fd, size); }
int fsync(int fd) { STEP_ON("fsync", fd); return REAL(fsync)(fd); }
int fdatasync(int fd) { STEP_ON("fsync", fd); return REAL(fdatasync)(fd); }
int sync_file_range(int fd, off64_t at, off64_t count, unsigned flags) { STEP_ON("fsync", fd); return REAL(sync_file_range)(fd, at, count, flags); }
int close(int fd) { STEP_ON("close", fd); return REAL(close)(fd); }

int mkdir(const char *path, mode_t mode) { STEP_AT("mkdir", AT_FDCWD, path); return REAL(mkdir)(path, mode); }
int mkdirat(int at, const char *path, mode_t mode) { STEP_AT("mkdir", at, path); return REAL(mkdirat)(at, path, mode); }
char *mkdtemp(char *path) { STEP_AT("mkdir", AT_FDCWD, path); return REAL(mkdtemp)(path); }
int mkstemp(char *path) { STEP_AT("open", AT_FDCWD, path); return REAL(mkstemp)(path); }
int mkstemp64(char *path) { STEP_AT("open", AT_FDCWD, path); return REAL(mkstemp64)(path); }
int rmdir(const char *path) { STEP_AT("rmdir", AT_FDCWD, path); return REAL(rmdir)(path); }
int unlink(const char *path) { STEP_AT("unlink", AT_FDCWD, path); return REAL(unlink)(path); }
int unlinkat(int at, const char *path, int flags) { STEP_AT("unlink", at, path); return REAL(unlinkat)(at, path, flags); }
int rename(const char *from, const char *to) { STEP_AT("rename", AT_FDCWD, to); return REAL(rename)(from, to); }
int renameat(int from_at, const char *from, int to_at, const char *to) { STEP_AT("rename", to_at, to); return REAL(renameat)(from_at, from, to_at, to); }
int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) { STEP_AT("rename", to_at, to); return REAL(renameat2)(from_at, from, to_at, to, flags); }
int link(const char *from, const char *to) { STEP_AT("link", AT_FDCWD, to); return REAL(link)(from, to); }
int linkat(int from_at, const char *from, int to_at, const char *to, int flags) { STEP_AT("link", to_at, to); return REAL(linkat)(from_at, from, to_at, to, flags); }
int symlink(const char *target, const char *path) { STEP_AT("symlink", AT_FDCWD, path); return REAL(symlink)(target, path); }
int symlinkat(const char *target, int at, const char *path) { STEP_AT("symlink", at, path); return REAL(symlinkat)(target, at, path); }
int chmod(const char *path, mode_t mode) { STEP_AT("chmod", AT_FDCWD, path); return REAL(chmod)(path, mode); }
int fchmod(int fd, mode_t mode) { STEP_ON("chmod", fd); return REAL(fchmod)(fd, mode); }
int fchmodat(int at, const char *path, mode_t mode, int flags) { STEP_AT("chmod", at, path); return REAL(fchmodat)(at, path, mode, flags); }
int utime(const char *path, const struct utimbuf *times) { STEP_AT("utimens", AT_FDCWD, path); return REAL(utime)(path, times); }
int utimes(const char *path, const struct timeval times[2]) { STEP_AT("utimens", AT_FDCWD, path); return REAL(utimes)(path, times); }
int utimensat(int at, const char *path, const struct timespec times[2], int flags) { STEP_AT("utimens", at, path); return REAL(utimensat)(at, path, times, flags); }
int futimens(int fd, const struct timespec times[2]) { STEP_ON("utimens", fd); return REAL(futimens)(fd, times); }
