#include "backend/vulkan/vulkan_report.h"

#include <string.h>

ms_status ms_vulkan_report_init(ms_vulkan_memory *memory, ms_vulkan_report *out) {
    const size_t size = MS_VULKAN_REPORT_WORDS * sizeof(uint32_t);
    *out = (ms_vulkan_report){0};
    MS_TRY(ms_vulkan_allocate(memory, MS_VULKAN_HOST_READS, size, &out->words));
    memset(out->words.mapped, 0, size);
    return MS_OK;
}

/* While the program of a fault may be running the second word may not be there yet: a later wait tells. */
ms_status ms_vulkan_report_check(ms_vulkan_report *report, uint64_t completed) {
    volatile uint32_t *words = report->words.mapped;
    uint32_t fault = words[MS_VULKAN_REPORT_NODE];
    if (fault == 0) return MS_OK;
    const ms_node_table *table = ms_node_tables_find(&report->nodes, fault - 1);
    if (table && table->last_value > completed) return MS_OK;
    int32_t value = (int32_t)words[MS_VULKAN_REPORT_VALUE];
    words[MS_VULKAN_REPORT_NODE] = 0;
    char node[96];
    ms_node_tables_describe(&report->nodes, fault - 1, node, sizeof node);
    return MS_FAIL(MS_INVALID, "%s: value %d is outside of [0, %lld)", node, (int)value,
                   (long long)ms_node_tables_fault_limit(&report->nodes, fault - 1));
}

uint32_t ms_vulkan_report_progress(const ms_vulkan_report *report) {
    return ((const volatile uint32_t *)report->words.mapped)[MS_VULKAN_REPORT_PROGRESS];
}
