/* From the user's configuration to a trainer's options. */
#ifndef MS_CLI_CONFIG_TRAINER_CONFIG_H
#define MS_CLI_CONFIG_TRAINER_CONFIG_H

#include "cli/config/config.h"
#include "train/trainer.h"

/* The device and its numerics; borrows config's device name.  Thread-safe, as what follows. */
ms_device_options ms_device_options_from_config(const ms_config *config);

/* vocabulary: the data's, used where config->model.vocabulary is 0.  The options borrow config's device name. */
ms_trainer_options ms_trainer_options_from_config(const ms_config *config, int32_t vocabulary);

/* The model part alone. */
ms_model_config ms_model_config_from_config(const ms_config *config, int32_t vocabulary);

#endif
