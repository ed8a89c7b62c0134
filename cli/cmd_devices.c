/* muonscope devices: what can train here, and why the rest cannot. */
#include <jansson.h>
#include <string.h>

#include "backend/backend.h"
#include "cli/commands.h"
#include "platform/json.h"
#include "platform/output.h"
#include "platform/processor.h"

enum { MAX_DEVICES = 64 };

struct arguments {
    bool json;
};

static const ms_option options[] = {
    {"json", MS_OPTION_FLAG, offsetof(struct arguments, json), NULL, NULL, "Print JSON instead of text"},
    {NULL, MS_OPTION_END, 0, NULL, NULL, NULL}};

static const ms_command command = {"devices",
                                   NULL,
                                   "Lists every device, usable or not, with the reason and what its probe measured.",
                                   options,
                                   0,
                                   0,
                                   NULL,
                                   "Train on one with: muonscope train --device NAME"};

static bool is_processor(const ms_device_info *device) { return strcmp(device->name, "cpu") == 0; }

/* What the device was measured to do; a probe that fails is told in its words. */
static ms_device_verdict probe(const ms_device_info *device) {
    ms_device_verdict verdict;
    if (ms_device_probe(device->name, &verdict) == MS_OK) return verdict;
    verdict.exact = false;
    snprintf(verdict.text, sizeof verdict.text, "exact: no, %.180s", ms_status_message());
    return verdict;
}

static void print_text(const ms_device_info *devices, int n) {
    for (int i = 0; i < n; i++) {
        const ms_device_info *device = &devices[i];
        ms_print_line(stdout, "%-10s %-9s %s", device->name, device->usable ? "usable" : "unusable",
                      device->description);
        if (device->memory_bytes > 0) /* a backend without a device has none */
            printf("%20s %.1f GiB memory", "", (double)device->memory_bytes / (1 << 30));
        if (device->n_threads > 0) printf(", %d processors", (int)device->n_threads);
        if (is_processor(device)) printf(", %s", ms_processor_vectors());
        if (device->kernels[0]) printf(", kernels for %s", device->kernels);
        if (device->memory_bytes > 0) printf("\n");
        ms_print_line(stdout, "%20s %s", "", device->reason);
        if (device->usable) ms_print_line(stdout, "%20s %s", "", probe(device).text);
    }
}

static ms_status add_details(const ms_device_info *device, json_t *object) {
    static const char what[] = "devices --json";
    if (device->kernels[0]) MS_TRY(ms_json_set_text(object, what, "kernels", device->kernels));
    if (device->uuid[0]) MS_TRY(ms_json_set_text(object, what, "uuid", device->uuid));
    if (device->usable) {
        ms_device_verdict verdict = probe(device);
        MS_TRY(ms_json_set(object, what, "exact", json_boolean(verdict.exact)));
        MS_TRY(ms_json_set_text(object, what, "probe", verdict.text));
    }
    return is_processor(device) ? ms_json_set_text(object, what, "vectors", ms_processor_vectors()) : MS_OK;
}

static ms_status add_device(const ms_device_info *device, json_t *list) {
    json_t *object;
    MS_TRY(ms_json_pack(&object, "devices --json", "{s:s, s:s, s:b, s:s, s:i, s:I}", "name", device->name,
                        "description", device->description, "usable", (int)device->usable, "reason", device->reason,
                        "processors", (int)device->n_threads, "memory_bytes", (json_int_t)device->memory_bytes));
    MS_TRY(ms_json_append(list, "devices --json", object)); /* which owns it now */
    return add_details(device, object);
}

static ms_status print_json(const ms_device_info *devices, int n) {
    json_t *list = json_array();
    ms_status status = MS_OK;
    for (int i = 0; status == MS_OK && i < n; i++) status = add_device(&devices[i], list);
    if (status == MS_OK) status = ms_json_print(list, "devices --json", JSON_INDENT(2), stdout);
    json_decref(list);
    return status;
}

static ms_status list(bool json) {
    static ms_device_info devices[MAX_DEVICES];
    int n;
    MS_TRY(ms_device_list(devices, MAX_DEVICES, &n));
    if (n > MAX_DEVICES) return MS_FAIL(MS_UNSUPPORTED, "%d devices: at most %d can be listed", n, MAX_DEVICES);
    if (json) return print_json(devices, n);
    print_text(devices, n);
    return MS_OK;
}

const ms_command *const ms_commands_devices[] = {&command, NULL};

int ms_cmd_devices(int argc, char **argv) {
    struct arguments arguments = {false};
    ms_positionals rest;
    ms_status status = ms_options_parse(&command, argc, argv, &arguments, &rest);
    if (status == MS_OK && rest.help) return ms_command_help(&command);
    if (status == MS_OK) status = list(arguments.json);
    return ms_exit_status(status);
}
