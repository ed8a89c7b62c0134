/* Which keys somebody gave, and which of those have no effect beside the others. */
#ifndef MS_CLI_CONFIG_CONFIG_EFFECT_H
#define MS_CLI_CONFIG_CONFIG_EFFECT_H

#include "cli/config/config.h"

/* Looks at the given keys alone: what a preset or a run's own config.yaml holds is nobody's wish.  MS_INVALID: a given
   key asks for what another excludes (a decay of weights where no mode of decay is set).  *out_warnings: a line for the
   keys that only say how something is done that is not done, "muon.lr has no effect: optimizer.name is adamw; leave it
   out or set optimizer.name muon or normuon", each with its line break; "" for none.  The caller frees it.
   MS_OUT_OF_MEMORY.  Thread-safe. */
ms_status ms_config_check_effect(const ms_config *config, const ms_config_given *given, char **out_warnings);

#endif
