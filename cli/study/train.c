#include "cli/study/train.h"

#include <stdlib.h>
#include <string.h>

#include "cli/config/run_config.h"
#include "cli/config/trainer_config.h"
#include "platform/clock.h"

/* What a run needs, to be closed in reverse. */
struct parts {
    ms_config config;
    ms_run_config run_config;
    ms_run_folder folder; /* to go on with, until the run takes it over */
    ms_device *device;
    ms_run *run;
};

static ms_status start(const char *path, struct parts *p) {
    if (ms_run_folder_check_new(path) == MS_OK) return ms_run_create(p->run, path);
    ms_config saved;
    ms_config_defaults(&saved);
    MS_TRY(ms_run_folder_resume(path, &p->folder));
    MS_TRY(ms_config_load_file(&saved, p->folder.config, NULL));
    MS_TRY(ms_config_check_resume(&saved, &p->config));
    return ms_run_resume(p->run, &p->folder);
}

static ms_status train(const char *path, bool quiet, struct parts *p, ms_study_outcome *out) {
    double begin = ms_clock_seconds();
    MS_TRY(ms_run_config_init(&p->config, &p->run_config));
    if (quiet) p->run_config.options.log_level = MS_LOG_ERROR;
    if (quiet) p->run_config.options.log_every = 0;
    ms_device_options device = ms_device_options_from_config(&p->config);
    MS_TRY(ms_device_open(&device, &p->device));
    MS_TRY(ms_run_open(p->device, &p->run_config.options, &p->run));
    MS_TRY(start(path, p));
    ms_run_device(p->run, out->device, sizeof out->device);
    out->start_seconds = ms_clock_seconds() - begin;
    MS_TRY(ms_run_train(p->run));
    out->seconds = ms_clock_seconds() - begin;
    return ms_run_sample(p->run, stdout);
}

ms_status ms_study_train(const ms_config *config, const char *path, int64_t n_threads, bool quiet,
                         ms_study_outcome *out) {
    struct parts p = {.config = *config, .folder = MS_RUN_FOLDER_CLOSED};
    memset(out, 0, sizeof *out);
    if (n_threads > 0) p.config.train.threads = n_threads;
    ms_status status = train(path, quiet, &p, out);
    ms_run_close(p.run);
    ms_device_close(p.device);
    ms_run_config_finish(&p.run_config);
    ms_run_folder_close(&p.folder);
    return status;
}
