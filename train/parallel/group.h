/* The ranks of one run: exchanges, agreement about errors, and the commands by which rank 0 leads the others.

   Rank 0 runs the program; the others wait for its commands and take part in what they name.  An exchange is begun by
   all ranks, so an error of one must be known to all before it: ms_group_agree.  One thread at a time per group. */
#ifndef MS_TRAIN_PARALLEL_GROUP_H
#define MS_TRAIN_PARALLEL_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "platform/status.h"
#include "train/parallel/transport.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_group ms_group;

/* Takes the transport over.  Every rank has a share of 1.  MS_OUT_OF_MEMORY. */
ms_status ms_group_create(const ms_transport *transport, ms_group **out);
/* Micro-steps of each rank in a round, "3,1": one number a rank; empty: one each.  Before the trainer is opened.
   MS_INVALID: another number of them, or one that is not a whole number from 1 to 65536. */
ms_status ms_group_set_shares(ms_group *group, const char *shares);
/* Of each wait from here on. */
void ms_group_set_timeout(ms_group *group, double seconds);
/* Each wait may be MS_GROUP_PATIENCE times as long, until `slow` is false again: the first step of a job, in which
   drivers compile. */
enum { MS_GROUP_PATIENCE = 10 };
void ms_group_set_slow(ms_group *group, bool slow);
/* Rank 0 tells the others how it ended, where they wait for a command; `status` MS_OK: well.  NULL is fine. */
void ms_group_close(ms_group *group, ms_status status);

int ms_group_rank(const ms_group *group);
int ms_group_size(const ms_group *group);
int32_t ms_group_share(const ms_group *group, int rank);
const char *ms_group_transport_name(const ms_group *group);

/* Of each call below: MS_DEVICE_LOST names the ranks that did not answer within the timeout, or what ended the group;
   no other call is legal then. */

/* ms_transport.exchange. */
ms_status ms_group_exchange(ms_group *group, const ms_message *out, const ms_message *in);
/* Bytes [begin[r], begin[r + 1]) of `data` are rank r's before, and everybody's after. */
ms_status ms_group_all_gather(ms_group *group, void *data, const size_t *begin);
/* The same with `bytes` bytes a rank. */
ms_status ms_group_all_gather_equal(ms_group *group, void *data, size_t bytes);
/* The bytes of rank 0 to all. */
ms_status ms_group_broadcast(ms_group *group, void *data, size_t bytes);

/* MS_OK when every rank brings MS_OK.  Else all get the status and message of the first that does not, with its rank
   and host before it.  A signal that any rank has received (platform/signals.h) counts on all from then on. */
ms_status ms_group_agree(ms_group *group, ms_status status);
/* What ms_group_agree sends to each other rank, and rank 0 with a command. */
size_t ms_group_agreement_bytes(void);
size_t ms_group_command_bytes(void);
/* Says that all ranks have come to the same error, which agreement has not found: only rank 0 is to say it. */
void ms_group_settle(ms_group *group);
/* Whether all ranks know how it ended: by agreement, by that, or by rank 0's last command. */
bool ms_group_is_settled(const ms_group *group);
/* Whether an exchange was given up: other ranks may wait in vain. */
bool ms_group_is_lost(const ms_group *group);
/* Whether this rank leaves it to another to say why the group ended: rank 0 says what was agreed. */
bool ms_group_is_silent(const ms_group *group);
/* Ends all ranks after an error that only this one has: see ms_transport.abort. */
void ms_group_abort(ms_group *group, const char *line);

/* Of all that ranks send each other: to be raised with every change of it, so that two builds of one version are told
   apart. */
enum { MS_GROUP_PROTOCOL = 1 };

/* What rank 0 asks for. */
typedef enum ms_group_command {
    MS_GROUP_END,     /* argument: an ms_status */
    MS_GROUP_COMPARE, /* is everybody the same program with the same configuration and data? */
    MS_GROUP_WEIGHTS, /* of rank 0, to all; argument: 1 with the optimizer's state */
    MS_GROUP_STEP,    /* one training step; argument: 1 with a snapshot of the weights */
    MS_GROUP_STATE,   /* the optimizer's state, to rank 0 */
    /* Of the tracker (train/tracking.h): */
    MS_GROUP_TRACK,        /* it begins; argument: step of the checkpoint, or -1 */
    MS_GROUP_TRACK_FIRST,  /* the weights before any step */
    MS_GROUP_TRACK_LINES,  /* what was computed, to rank 0; argument: of how many snapshots at least, -1: of all */
    MS_GROUP_TRACK_STATE,  /* what the next snapshot is compared with, to rank 0 */
    MS_GROUP_TRACK_RESTORE /* the same from rank 0 */
} ms_group_command;
/* Rank 0 gives a command; the others wait for it while rank 0 lives.  A signal that rank 0 has received counts on them
   too. */
ms_status ms_group_lead(ms_group *group, ms_group_command command, int64_t argument);
ms_status ms_group_follow(ms_group *group, ms_group_command *out_command, int64_t *out_argument);

#ifdef __cplusplus
}
#endif

#endif
