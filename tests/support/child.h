/* The built program as a user meets it: run in a child process, its output kept.  For tests that have MS_PROGRAM. */
#ifndef MS_TESTS_SUPPORT_CHILD_H
#define MS_TESTS_SUPPORT_CHILD_H

/* What the last run wrote; "" before one. */
extern char *ms_child_output, *ms_child_error;

/* A folder of the test that is running, below /tmp; made and removed by the fixture. */
extern char ms_child_folder[64];
void ms_child_setup(void);
void ms_child_teardown(void);

/* Runs `program` with these words, NULL after the last of at most 30, and returns its exit status; fails the test where
   a signal ends it. */
int ms_child_run(const char *program, const char *const *words);

#endif
