#include "platform/background.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct ms_background {
    ms_background_job job;
    void *context;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    bool busy, closing;
    ms_status failed; /* the first error */
    char message[1024];
};

static void *background_main(void *argument) {
    ms_background *background = argument;
    pthread_mutex_lock(&background->mutex);
    for (;;) {
        while (!background->busy && !background->closing) pthread_cond_wait(&background->changed, &background->mutex);
        if (!background->busy) break;
        if (background->failed == MS_OK) {
            pthread_mutex_unlock(&background->mutex);
            ms_status status = background->job(background->context);
            pthread_mutex_lock(&background->mutex);
            if (status != MS_OK) {
                background->failed = status;
                strncpy(background->message, ms_status_message(), sizeof background->message - 1);
            }
        }
        background->busy = false;
        pthread_cond_broadcast(&background->changed);
    }
    pthread_mutex_unlock(&background->mutex);
    return NULL;
}

static void destroy(ms_background *background) {
    pthread_mutex_destroy(&background->mutex);
    pthread_cond_destroy(&background->changed);
    free(background);
}

ms_status ms_background_create(ms_background_job job, void *context, ms_background **out) {
    *out = NULL;
    ms_background *background = calloc(1, sizeof *background);
    if (!background) return MS_FAIL(MS_OUT_OF_MEMORY, "no memory for a thread in the background");
    background->job = job;
    background->context = context;
    pthread_mutex_init(&background->mutex, NULL);
    pthread_cond_init(&background->changed, NULL);
    if (pthread_create(&background->thread, NULL, background_main, background) != 0) {
        destroy(background);
        return MS_FAIL(MS_OUT_OF_MEMORY, "cannot start a thread in the background");
    }
    *out = background;
    return MS_OK;
}

void ms_background_start(ms_background *background) {
    pthread_mutex_lock(&background->mutex);
    background->busy = true;
    pthread_cond_broadcast(&background->changed);
    pthread_mutex_unlock(&background->mutex);
}

bool ms_background_is_busy(ms_background *background) {
    pthread_mutex_lock(&background->mutex);
    bool busy = background->busy;
    pthread_mutex_unlock(&background->mutex);
    return busy;
}

ms_status ms_background_wait(ms_background *background) {
    pthread_mutex_lock(&background->mutex);
    while (background->busy) pthread_cond_wait(&background->changed, &background->mutex);
    ms_status status = background->failed == MS_OK ? MS_OK : MS_FAIL(background->failed, "%s", background->message);
    pthread_mutex_unlock(&background->mutex);
    return status;
}

ms_status ms_background_close(ms_background *background) {
    if (!background) return MS_OK;
    ms_status status = ms_background_wait(background);
    pthread_mutex_lock(&background->mutex);
    background->closing = true;
    pthread_cond_broadcast(&background->changed);
    pthread_mutex_unlock(&background->mutex);
    pthread_join(background->thread, NULL);
    destroy(background);
    return status;
}
