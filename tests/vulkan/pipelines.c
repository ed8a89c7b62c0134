/* Pipelines that are made several at a time (backend/vulkan/vulkan_pipeline.h), on a driver that only counts.  No
   device is needed.  The thread sanitizer watches in a build with Vulkan: cmake --preset tsan-devices. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "backend/vulkan/vulkan_pipeline.h"
#include "tests/support/suite.h"

enum { N_PIPELINES = 60, CONSTANT = 3 }; /* the constant in which they differ */

static atomic_int n_modules, n_modules_destroyed, n_pipelines, n_destroyed;
static uint32_t first_refused; /* pipelines whose constant is at least that are refused */

static VKAPI_ATTR VkResult VKAPI_CALL create_layout(VkDevice device, const VkPipelineLayoutCreateInfo *info,
                                                    const VkAllocationCallbacks *allocator, VkPipelineLayout *out) {
    (void)device, (void)info, (void)allocator;
    *out = VK_NULL_HANDLE;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_cache(VkDevice device, const VkPipelineCacheCreateInfo *info,
                                                   const VkAllocationCallbacks *allocator, VkPipelineCache *out) {
    (void)device, (void)info, (void)allocator;
    *out = VK_NULL_HANDLE;
    return VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_module(VkDevice device, const VkShaderModuleCreateInfo *info,
                                                    const VkAllocationCallbacks *allocator, VkShaderModule *out) {
    (void)device, (void)info, (void)allocator;
    *out = (VkShaderModule)(uintptr_t)(1 + n_modules++);
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_module(VkDevice device, VkShaderModule module,
                                                 const VkAllocationCallbacks *allocator) {
    (void)device, (void)allocator;
    if (module) n_modules_destroyed++;
}

static VKAPI_ATTR VkResult VKAPI_CALL create_pipelines(VkDevice device, VkPipelineCache cache, uint32_t n,
                                                       const VkComputePipelineCreateInfo *infos,
                                                       const VkAllocationCallbacks *allocator, VkPipeline *out) {
    (void)device, (void)cache, (void)allocator;
    ck_assert_uint_eq(n, 1);
    const VkSpecializationInfo *constants = infos->stage.pSpecializationInfo;
    uint32_t value = constants ? ((const uint32_t *)constants->pData)[CONSTANT] : 0;
    if (value >= first_refused) return VK_ERROR_OUT_OF_DEVICE_MEMORY;
    *out = (VkPipeline)(uintptr_t)(1 + n_pipelines++);
    return VK_SUCCESS;
}

static VKAPI_ATTR void VKAPI_CALL destroy_pipeline(VkDevice device, VkPipeline pipeline,
                                                   const VkAllocationCallbacks *allocator) {
    (void)device, (void)allocator;
    if (pipeline) n_destroyed++;
}

typedef struct driver {
    ms_vulkan_gpu gpu;
    ms_vulkan_context context;
    ms_vulkan_pipelines pipelines;
} driver;

static void open_driver(driver *d, VkDriverId id) {
    memset(d, 0, sizeof *d);
    setenv("XDG_CACHE_HOME", "/nonexistent", 1);
    n_modules = n_modules_destroyed = n_pipelines = n_destroyed = 0;
    first_refused = UINT32_MAX;
    d->gpu.driver.driverID = id;
    d->context.gpu = &d->gpu;
    d->context.call.vkCreatePipelineLayout = create_layout;
    d->context.call.vkCreatePipelineCache = create_cache;
    d->context.call.vkCreateShaderModule = create_module;
    d->context.call.vkDestroyShaderModule = destroy_module;
    d->context.call.vkCreateComputePipelines = create_pipelines;
    d->context.call.vkDestroyPipeline = destroy_pipeline;
    ms_must(ms_vulkan_pipelines_init(&d->context, &d->pipelines));
}

/* N_PIPELINES of three shaders, each twice. */
static void list(ms_vulkan_pipeline wanted[2 * N_PIPELINES]) {
    static const char *const names[] = {"attention_grad_delta", "sum", "fill"};
    const ms_vulkan_limits limits = {.numerics = MS_NUMERICS_EXACT, .storage16 = true};
    for (int i = 0; i < 2 * N_PIPELINES; i++) {
        wanted[i] = (ms_vulkan_pipeline){.n_constants = CONSTANT + 1, .constants = {128, 1, 1}};
        wanted[i].constants[CONSTANT] = (uint32_t)(i % N_PIPELINES);
        ms_must(ms_vulkan_shader_find(&limits, names[i % 3], &wanted[i].shader));
    }
}

/* Each is made once, of one module a shader, kept, and found; what was made before is not made again. */
static void check_made_once(VkDriverId id, int modules) {
    driver d;
    ms_vulkan_pipeline wanted[2 * N_PIPELINES];
    VkPipeline handle, again;
    open_driver(&d, id);
    list(wanted);
    ms_must(ms_vulkan_pipelines_make(&d.pipelines, wanted, 5));
    ms_must(ms_vulkan_pipeline_get(&d.pipelines, &wanted[4], &handle));
    ms_expect(ms_vulkan_pipeline_get(&d.pipelines, &wanted[5], &again), MS_INTERNAL, "was not compiled");
    ms_must(ms_vulkan_pipelines_make(&d.pipelines, wanted, 2 * N_PIPELINES));
    ck_assert_int_eq(n_pipelines, N_PIPELINES);
    ck_assert_int_eq(n_modules, modules);
    ms_must(ms_vulkan_pipeline_get(&d.pipelines, &wanted[4], &again));
    ck_assert(again == handle);
    bool seen[N_PIPELINES + 1] = {false};
    for (int i = 0; i < N_PIPELINES; i++) {
        ms_must(ms_vulkan_pipeline_get(&d.pipelines, &wanted[i], &handle));
        ck_assert(handle && !seen[(uintptr_t)handle]);
        seen[(uintptr_t)handle] = true;
    }
    ms_vulkan_pipelines_finish(&d.pipelines, false);
    ck_assert_int_eq(n_destroyed, N_PIPELINES);
    ck_assert_int_eq(n_modules_destroyed, modules);
}

START_TEST(test_each_is_made_once) { check_made_once(VK_DRIVER_ID_MESA_LLVMPIPE, 3); }
END_TEST

/* SwiftShader gets a module of its own for each. */
START_TEST(test_each_is_made_once_of_literals) { check_made_once(VK_DRIVER_ID_GOOGLE_SWIFTSHADER, N_PIPELINES); }
END_TEST

/* Whichever thread fails first in time, the message names the first of the list; those that were made are kept. */
START_TEST(test_the_first_that_fails_is_named) {
    driver d;
    ms_vulkan_pipeline wanted[2 * N_PIPELINES];
    VkPipeline handle;
    open_driver(&d, VK_DRIVER_ID_MESA_LLVMPIPE);
    list(wanted);
    first_refused = 21;
    ms_expect(ms_vulkan_pipelines_make(&d.pipelines, wanted, 2 * N_PIPELINES), MS_OUT_OF_MEMORY,
              "vulkan:0: pipeline attention_grad_delta (exact, 16-bit storage; constants 128 1 1 21): ");
    ck_assert_int_eq(n_pipelines, 21);
    ms_must(ms_vulkan_pipeline_get(&d.pipelines, &wanted[20], &handle));
    first_refused = UINT32_MAX;
    ms_must(ms_vulkan_pipelines_make(&d.pipelines, wanted, 2 * N_PIPELINES));
    ck_assert_int_eq(n_pipelines, N_PIPELINES);
    ms_vulkan_pipelines_finish(&d.pipelines, false);
    ck_assert_int_eq(n_destroyed, N_PIPELINES);
}
END_TEST

START_TEST(test_progress_is_said_where_it_takes_long) {
    double next = MS_VULKAN_FIRST_LINE;
    ck_assert(!ms_vulkan_progress_is_due(0.3, 1, 9, &next));
    ck_assert(!ms_vulkan_progress_is_due(1.9, 2, 9, &next));
    ck_assert(ms_vulkan_progress_is_due(2.5, 3, 9, &next));
    ck_assert(!ms_vulkan_progress_is_due(2.6, 4, 9, &next));
    ck_assert(!ms_vulkan_progress_is_due(12.4, 5, 9, &next));
    ck_assert(ms_vulkan_progress_is_due(12.5, 6, 9, &next));
    ck_assert(!ms_vulkan_progress_is_due(100, 9, 9, &next));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("vulkan pipelines");
    TCase *tests = tcase_create("vulkan pipelines");
    tcase_add_test(tests, test_each_is_made_once);
    tcase_add_test(tests, test_each_is_made_once_of_literals);
    tcase_add_test(tests, test_the_first_that_fails_is_named);
    tcase_add_test(tests, test_progress_is_said_where_it_takes_long);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
