/* Compute pipelines: one per shader and set of specialisation constants, compiled on all processors and kept for
   the device's life, with the driver's cache on disk so that a second run compiles nothing.  The cache is only a cache:
   one that is missing, foreign, damaged or cannot be written costs time and nothing else. */
#include "backend/vulkan/vulkan_pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/vulkan/vulkan_literal.h"
#include "backend/vulkan/vulkan_status.h"
#include "backend/vulkan/vulkan_validation.h"
#include "platform/clock.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "platform/output.h"
#include "platform/sha256.h"
#include "platform/thread.h"
#include "shader_headers.h"

typedef struct shader_code {
    const char *name;
    bool fast, storage16;
    const uint32_t *words;
    size_t size_bytes;
} shader_code;

#define SHADER_IS_exact false
#define SHADER_IS_fast true
#define SHADER_IS_packed false
#define SHADER_IS_storage16 true
static const shader_code shaders[] = {
#define SHADER(name, numerics, storage)                                                                                \
    {#name, SHADER_IS_##numerics, SHADER_IS_##storage, spirv_##name##_##numerics##_##storage,                          \
     sizeof spirv_##name##_##numerics##_##storage},
#include "shader_table.def"
#undef SHADER
};
enum { N_SHADERS = sizeof shaders / sizeof *shaders };

ms_status ms_vulkan_shader_find(const ms_vulkan_limits *limits, const char *name, int *out) {
    bool fast = limits->numerics == MS_NUMERICS_FAST;
    for (int i = 0; i < N_SHADERS; i++)
        if (shaders[i].fast == fast && shaders[i].storage16 == limits->storage16 &&
            strcmp(shaders[i].name, name) == 0) {
            *out = i;
            return MS_OK;
        }
    return MS_FAIL(MS_UNSUPPORTED, "vulkan: no shader \"%s\" in this build", name);
}

/* <cache folder>/muonscope/vulkan-<device>-<driver version>.cache; allocated, NULL when there is no home. */
static char *cache_path(const ms_vulkan_gpu *gpu, bool make_folder) {
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char folder[400], name[96];
    if (base && *base)
        snprintf(folder, sizeof folder, "%s/muonscope", base);
    else if (home && *home)
        snprintf(folder, sizeof folder, "%s/.cache/muonscope", home);
    else
        return NULL;
    if (make_folder && ms_directory_create(folder) != MS_OK) return NULL;
    int n = snprintf(name, sizeof name, "vulkan-");
    for (int i = 0; i < (int)VK_UUID_SIZE; i++) n += snprintf(name + n, sizeof name - (size_t)n, "%02x", gpu->uuid[i]);
    snprintf(name + n, sizeof name - (size_t)n, "-%08x.cache", gpu->properties.driverVersion);
    return ms_path_join(folder, name);
}

/* In front of the driver's bytes on disk, in this machine's byte order: Vulkan forbids handing a driver other bytes
   than it once gave, and none has to notice. */
typedef struct cache_header {
    char magic[8]; /* CACHE_MAGIC */
    uint64_t size_bytes;
    char sha256[64]; /* of the driver's bytes, hexadecimal */
} cache_header;
#define CACHE_MAGIC "mscache1"

static ms_status make_header(const void *data, size_t size, cache_header *out) {
    char sha256[sizeof out->sha256 + 1];
    MS_TRY(ms_sha256_bytes(data, size, sha256));
    memcpy(out->magic, CACHE_MAGIC, sizeof out->magic);
    out->size_bytes = size;
    memcpy(out->sha256, sha256, sizeof out->sha256);
    return MS_OK;
}

/* The header that Vulkan defines for cache data: length, version 1, vendor, device, cache UUID. */
static bool is_ours(const ms_vulkan_gpu *gpu, const char *data, size_t size) {
    uint32_t header[4];
    if (size < sizeof header + VK_UUID_SIZE) return false;
    memcpy(header, data, sizeof header);
    const VkPhysicalDeviceProperties *properties = &gpu->properties;
    return header[0] >= 32 && header[1] == VK_PIPELINE_CACHE_HEADER_VERSION_ONE && header[2] == properties->vendorID &&
           header[3] == properties->deviceID &&
           memcmp(data + sizeof header, properties->pipelineCacheUUID, VK_UUID_SIZE) == 0;
}

/* The bytes that this device's driver gave, inside of *out_file, which the caller frees; NULL: there are none. */
static const char *read_cache(const ms_vulkan_gpu *gpu, char **out_file, size_t *out_size) {
    size_t file_size = 0;
    cache_header header;
    char *path = cache_path(gpu, false);
    ms_status status = path ? ms_file_read(path, out_file, &file_size) : MS_NOT_FOUND;
    free(path);
    if (status != MS_OK || file_size < sizeof header) return NULL;
    const char *data = *out_file + sizeof header;
    *out_size = file_size - sizeof header;
    if (make_header(data, *out_size, &header) != MS_OK || memcmp(*out_file, &header, sizeof header) != 0) return NULL;
    return is_ours(gpu, data, *out_size) ? data : NULL;
}

static ms_status create_cache(ms_vulkan_pipelines *pipelines) {
    const ms_vulkan_context *context = pipelines->context;
    char *file = NULL;
    size_t size = 0;
    const char *data = read_cache(context->gpu, &file, &size);
    pipelines->cache_bytes_at_start = data ? size : 0;
    VkPipelineCacheCreateInfo info = {.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
                                      .initialDataSize = pipelines->cache_bytes_at_start,
                                      .pInitialData = data};
    VkResult result = context->call.vkCreatePipelineCache(context->handle, &info, NULL, &pipelines->cache);
    free(file);
    return ms_vulkan_status(result, "creating a pipeline cache");
}

static ms_status write_cache(const char *path, const char *data, size_t size) {
    cache_header header;
    ms_writer writer;
    MS_TRY(make_header(data, size, &header));
    MS_TRY(ms_writer_open(path, &writer));
    ms_status status = ms_writer_write(&writer, &header, sizeof header);
    if (status == MS_OK) status = ms_writer_write(&writer, data, size);
    if (status == MS_OK) return ms_writer_commit(&writer);
    ms_writer_abort(&writer);
    return status;
}

static void save_cache(const ms_vulkan_pipelines *pipelines) {
    const ms_vulkan_context *context = pipelines->context;
    size_t size = 0;
    if (context->call.vkGetPipelineCacheData(context->handle, pipelines->cache, &size, NULL) != VK_SUCCESS) return;
    if (size <= pipelines->cache_bytes_at_start || size <= 32) return; /* nothing new */
    char *data = malloc(size), *path = cache_path(context->gpu, true);
    if (data && path &&
        context->call.vkGetPipelineCacheData(context->handle, pipelines->cache, &size, data) == VK_SUCCESS)
        (void)write_cache(path, data, size);
    free(data);
    free(path);
}

ms_status ms_vulkan_pipelines_init(const ms_vulkan_context *context, ms_vulkan_pipelines *out) {
    *out = (ms_vulkan_pipelines){.context = context, .modules = calloc(N_SHADERS, sizeof *out->modules)};
    if (!out->modules) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory");
    pthread_mutex_init(&out->mutex, NULL);
    VkPushConstantRange range = {VK_SHADER_STAGE_COMPUTE_BIT, 0, MS_VULKAN_PUSH_BYTES};
    VkPipelineLayoutCreateInfo layout = {.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                                         .pushConstantRangeCount = 1,
                                         .pPushConstantRanges = &range};
    MS_VULKAN_TRY(context->call.vkCreatePipelineLayout(context->handle, &layout, NULL, &out->layout),
                  "creating a pipeline layout");
    return create_cache(out);
}

void ms_vulkan_pipelines_finish(ms_vulkan_pipelines *pipelines, bool is_lost) {
    const ms_vulkan_context *context = pipelines->context;
    if (pipelines->cache && pipelines->n_items > 0 && !is_lost) save_cache(pipelines);
    for (int i = 0; i < pipelines->n_items; i++)
        context->call.vkDestroyPipeline(context->handle, pipelines->items[i].handle, NULL);
    for (int i = 0; pipelines->modules && i < N_SHADERS; i++)
        context->call.vkDestroyShaderModule(context->handle, pipelines->modules[i], NULL);
    if (pipelines->cache) context->call.vkDestroyPipelineCache(context->handle, pipelines->cache, NULL);
    if (pipelines->layout) context->call.vkDestroyPipelineLayout(context->handle, pipelines->layout, NULL);
    if (pipelines->modules) pthread_mutex_destroy(&pipelines->mutex);
    free(pipelines->items);
    free(pipelines->modules);
    memset(pipelines, 0, sizeof *pipelines);
}

/* From the shader's own words, or others made of them.  A module of `exact` says what the device is to keep of
   IEEE-754: vulkan_spirv.h. */
static ms_status create_module(const ms_vulkan_context *context, const shader_code *shader, const uint32_t *from,
                               size_t n_words, VkShaderModule *out) {
    uint32_t *words = malloc((n_words + MS_VULKAN_MODE_WORDS) * sizeof *words);
    if (!words) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory for shader %s", shader->name);
    ms_vulkan_float_modes modes = context->gpu->float_modes;
    if (shader->fast) modes.round_to_even = modes.keep_subnormals = false; /* NaN must show in `fast` too */
    ms_status status = ms_vulkan_spirv_with_modes(from, n_words, modes, words, &n_words);
    if (status == MS_OK) {
        VkShaderModuleCreateInfo info = {
            .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, .codeSize = n_words * sizeof *words, .pCode = words};
        status = ms_vulkan_status(context->call.vkCreateShaderModule(context->handle, &info, NULL, out), shader->name);
    }
    free(words);
    return status;
}

static ms_status get_module(ms_vulkan_pipelines *pipelines, int i_shader, VkShaderModule *out) {
    VkShaderModule *module = &pipelines->modules[i_shader];
    const shader_code *shader = &shaders[i_shader];
    ms_status status = MS_OK;
    pthread_mutex_lock(&pipelines->mutex);
    if (!*module)
        status = create_module(pipelines->context, shader, shader->words, shader->size_bytes / sizeof *shader->words,
                               module);
    *out = *module;
    pthread_mutex_unlock(&pipelines->mutex);
    return status;
}

static ms_status create_from(const ms_vulkan_pipelines *pipelines, VkShaderModule module,
                             const VkSpecializationInfo *constants, ms_vulkan_pipeline *pipeline) {
    const ms_vulkan_context *context = pipelines->context;
    VkComputePipelineCreateInfo info = {.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
                                        .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                                                  .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                                                  .module = module,
                                                  .pName = "main",
                                                  .pSpecializationInfo = constants},
                                        .layout = pipelines->layout};
    return ms_vulkan_status(
        context->call.vkCreateComputePipelines(context->handle, pipelines->cache, 1, &info, NULL, &pipeline->handle),
        shaders[pipeline->shader].name);
}

/* SwiftShader's compiler does not fold specialisation constants: every `if (VECTOR != 0u)` is taken at run time, both
   ways.  So it gets constants.  *out_made is false for shaders that have to stay as they are. */
static ms_status create_literal(const ms_vulkan_pipelines *pipelines, ms_vulkan_pipeline *pipeline, bool *out_made) {
    const ms_vulkan_context *context = pipelines->context;
    const shader_code *shader = &shaders[pipeline->shader];
    uint32_t *words;
    size_t n_words;
    VkShaderModule module = VK_NULL_HANDLE;
    bool is_matmul = strncmp(shader->name, "matmul_lanes", strlen("matmul_lanes")) == 0; /* loops of literal lengths */
    *out_made = false;
    if (context->gpu->driver.driverID != VK_DRIVER_ID_GOOGLE_SWIFTSHADER) return MS_OK;
    ms_vulkan_specialised specialised = {.words = shader->words,
                                         .n_words = shader->size_bytes / sizeof *words,
                                         .values = pipeline->constants,
                                         .n_values = pipeline->n_constants,
                                         .unrolled_too = is_matmul};
    MS_TRY(ms_vulkan_write_literals(&specialised, &words, &n_words));
    if (!words) return MS_OK;
    *out_made = true;
    ms_status status = create_module(context, shader, words, n_words, &module);
    if (status == MS_OK) status = create_from(pipelines, module, NULL, pipeline);
    context->call.vkDestroyShaderModule(context->handle, module, NULL);
    free(words);
    return status;
}

static ms_status create_pipeline(ms_vulkan_pipelines *pipelines, ms_vulkan_pipeline *pipeline) {
    bool made;
    MS_TRY(create_literal(pipelines, pipeline, &made));
    if (made) return MS_OK;
    VkShaderModule module;
    MS_TRY(get_module(pipelines, pipeline->shader, &module));
    VkSpecializationMapEntry entries[MS_VULKAN_MAX_CONSTANTS];
    for (uint32_t i = 0; i < (uint32_t)pipeline->n_constants; i++)
        entries[i] = (VkSpecializationMapEntry){i, i * (uint32_t)sizeof(uint32_t), sizeof(uint32_t)};
    VkSpecializationInfo constants = {(uint32_t)pipeline->n_constants, entries,
                                      (size_t)pipeline->n_constants * sizeof(uint32_t), pipeline->constants};
    return create_from(pipelines, module, &constants, pipeline);
}

static const ms_vulkan_pipeline *find(const ms_vulkan_pipeline *items, int n_items, const ms_vulkan_pipeline *wanted) {
    size_t size = (size_t)wanted->n_constants * sizeof *wanted->constants;
    for (int i = 0; i < n_items; i++)
        if (items[i].shader == wanted->shader && items[i].n_constants == wanted->n_constants &&
            memcmp(items[i].constants, wanted->constants, size) == 0)
            return &items[i];
    return NULL;
}

/* The shader's name and kind, and the constants from 0 on. */
static void describe(const ms_vulkan_pipeline *pipeline, char *out, size_t size) {
    const shader_code *shader = &shaders[pipeline->shader];
    int n = snprintf(out, size, "pipeline %s (%s, %s; constants", shader->name, shader->fast ? "fast" : "exact",
                     shader->storage16 ? "16-bit storage" : "packed");
    for (int i = 0; i < pipeline->n_constants && n > 0 && (size_t)n < size; i++)
        n += snprintf(out + n, size - (size_t)n, " %u", pipeline->constants[i]);
    if (n > 0 && (size_t)n < size) snprintf(out + n, size - (size_t)n, ")");
}

enum { DESCRIPTION_BYTES = 160, MESSAGE_BYTES = 512 };

/* Pipelines being made: task i makes items[i]. */
typedef struct making {
    ms_vulkan_pipelines *pipelines;
    ms_vulkan_pipeline *items;
    int n_items;
    double start; /* seconds of ms_clock_seconds */
    pthread_mutex_t mutex;
    /* under the mutex */
    int n_done;
    double next_line; /* seconds */
    ms_status status; /* of the first item that failed, i_failed */
    int64_t i_failed;
    char message[MESSAGE_BYTES];
} making;

bool ms_vulkan_progress_is_due(double seconds, int n_done, int n_items, double *next_line) {
    if (seconds < *next_line || n_done == n_items) return false;
    *next_line = seconds + 10;
    return true;
}

static void make_task(void *context, int64_t i, int i_thread) {
    (void)i_thread;
    making *m = context;
    char name[DESCRIPTION_BYTES];
    describe(&m->items[i], name, sizeof name);
    ms_vulkan_set_activity(name);
    ms_status status = create_pipeline(m->pipelines, &m->items[i]);
    ms_vulkan_set_activity("");
    if (status != MS_OK) ms_status_note(status, "vulkan:%d: %s", m->pipelines->context->index, name);
    pthread_mutex_lock(&m->mutex);
    m->n_done++;
    if (status != MS_OK && (m->status == MS_OK || i < m->i_failed)) {
        m->status = status;
        m->i_failed = i;
        snprintf(m->message, sizeof m->message, "%s", ms_status_message());
    }
    double seconds = ms_clock_seconds() - m->start;
    if (ms_vulkan_progress_is_due(seconds, m->n_done, m->n_items, &m->next_line))
        ms_print_line(stderr,
                      "vulkan:%d: compiling pipelines, %d of %d after %.0f s (a driver that keeps them does so once)",
                      m->pipelines->context->index, m->n_done, m->n_items, seconds);
    pthread_mutex_unlock(&m->mutex);
}

static ms_status make_all(ms_vulkan_pipelines *pipelines, ms_vulkan_pipeline *items, int n_items) {
    int n_threads = ms_processor_count() < n_items ? ms_processor_count() : n_items;
    ms_pool *pool = NULL;
    if (n_threads > 1) MS_TRY(ms_pool_create(n_threads, &pool));
    making m = {.pipelines = pipelines,
                .items = items,
                .n_items = n_items,
                .start = ms_clock_seconds(),
                .next_line = MS_VULKAN_FIRST_LINE};
    pthread_mutex_init(&m.mutex, NULL);
    ms_pool_run(pool, n_items, make_task, &m);
    pthread_mutex_destroy(&m.mutex);
    ms_pool_destroy(pool);
    return m.status == MS_OK ? MS_OK : MS_FAIL(m.status, "%s", m.message);
}

ms_status ms_vulkan_pipelines_make(ms_vulkan_pipelines *pipelines, const ms_vulkan_pipeline *wanted, int n_wanted) {
    ms_vulkan_pipeline *items =
        realloc(pipelines->items, ((size_t)pipelines->n_items + (size_t)n_wanted + 1) * sizeof *items);
    if (!items) return MS_FAIL(MS_OUT_OF_MEMORY, "vulkan: no host memory for %d pipelines", n_wanted);
    pipelines->items = items;
    int n_items = pipelines->n_items;
    for (int i = 0; i < n_wanted; i++)
        if (!find(items, n_items, &wanted[i])) {
            items[n_items] = wanted[i];
            items[n_items++].handle = VK_NULL_HANDLE;
        }
    int n_new = n_items - pipelines->n_items;
    if (n_new == 0) return MS_OK;
    ms_vulkan_pipeline *first = items + pipelines->n_items;
    ms_status status = make_all(pipelines, first, n_new);
    for (int i = 0; i < n_new; i++) /* those that were made are kept */
        if (first[i].handle) items[pipelines->n_items++] = first[i];
    return status;
}

ms_status ms_vulkan_pipeline_get(const ms_vulkan_pipelines *pipelines, const ms_vulkan_pipeline *wanted,
                                 VkPipeline *out) {
    const ms_vulkan_pipeline *item = find(pipelines->items, pipelines->n_items, wanted);
    if (!item) return MS_FAIL(MS_INTERNAL, "vulkan: shader %s was not compiled", shaders[wanted->shader].name);
    *out = item->handle;
    return MS_OK;
}
