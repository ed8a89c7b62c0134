/* The share of the processors that Linux's control groups leave to this process. */
#ifndef MS_PLATFORM_CGROUP_H
#define MS_PLATFORM_CGROUP_H

#ifdef __cplusplus
extern "C" {
#endif

/* The smallest quota of processor time of this process's cgroup and those above it, as far as they are mounted, in
   processors, rounded up: cpu.max (version 2), cpu.cfs_quota_us over cpu.cfs_period_us (version 1).  0: there is none,
   or nothing that can be read says so.  `root` stands before every path that is read ("": the system's own files).
   Thread-safe.  cgroups(7), cgroup-v2 of the kernel's documentation; mount points and the cgroup's place below them
   from /proc/self/mountinfo and /proc/self/cgroup. */
int ms_cgroup_processors(const char *root);

#ifdef __cplusplus
}
#endif

#endif
