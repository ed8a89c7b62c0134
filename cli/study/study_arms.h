/* The arms of a study file: those that are named, and the factors that multiply them.  Internal to cli/study. */
#ifndef MS_CLI_STUDY_STUDY_ARMS_H
#define MS_CLI_STUDY_STUDY_ARMS_H

#include "cli/study/study_nodes.h"

/* Nodes of the file; NULL: the file has none. */
typedef struct ms_study_arm_nodes {
    const yaml_node_t *arms, *factors;
    ms_study_seeds seeds; /* of arms without their own; n 0: none */
} ms_study_arm_nodes;

/* Fills arms and n_arms; i_tuning is -1 in each.  MS_INVALID, MS_OUT_OF_MEMORY. */
ms_status ms_study_read_arms(ms_study_reader *reader, const ms_study_arm_nodes *nodes, ms_study *study);

#endif
