#ifndef MS_TESTS_OPS_FAULTS_H
#define MS_TESTS_OPS_FAULTS_H

/* Fails the Check test unless the runner finds every planted fault. */
void ms_check_faults(void);

#endif
