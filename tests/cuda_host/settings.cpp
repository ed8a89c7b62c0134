#include "tests/cuda_host/settings.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "tests/cuda_host/report.h"

namespace ms_cuda_host {
namespace {

const char *const FAILING_NAMES[] = {"malloc", "launch", "sync", "lost"};

unsigned number_of(const char *name, const char *text, unsigned long least, unsigned long most) {
    char *end = nullptr;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || *text == '-' || value < least || value > most)
        fatal("%s=%s: not a number from %lu to %lu", name, text, least, most);
    return static_cast<unsigned>(value);
}

/* The variable `name` as a number, or `fallback` where it is not set. */
unsigned read_number(const char *name, unsigned fallback, unsigned long least, unsigned long most) {
    const char *text = getenv(name);
    return text ? number_of(name, text, least, most) : fallback;
}

void read_failing(unsigned *failing) {
    const char *text = getenv("CUDAHOST_FAIL");
    std::string rest = text ? text : "";
    while (!rest.empty()) {
        size_t comma = rest.find(',');
        std::string entry = rest.substr(0, comma);
        rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
        size_t colon = entry.find(':');
        bool known = false;
        for (int kind = 0; colon != std::string::npos && kind < static_cast<int>(FailingCall::N_KINDS); kind++) {
            if (entry.compare(0, colon, FAILING_NAMES[kind]) != 0) continue;
            failing[kind] = number_of("CUDAHOST_FAIL", entry.c_str() + colon + 1, 1, 1u << 31);
            known = true;
        }
        if (!known) fatal("CUDAHOST_FAIL=%s: '%s' is not malloc:N, launch:N, sync:N or lost:N", text, entry.c_str());
    }
}

Settings read_settings() {
    Settings read;
    unsigned n_processors = std::thread::hardware_concurrency();
    read.thread_order = read_number("CUDAHOST_ORDER", 0, 0, 1u << 31);
    read.stream_order = read_number("CUDAHOST_STREAMS", 0, 0, 1u << 31);
    read.n_threads = read_number("CUDAHOST_THREADS", n_processors ? n_processors : 1, 1, 256);
    read.memory_bytes = static_cast<uint64_t>(read_number("CUDAHOST_MEMORY", 4096, 1, 1 << 17)) << 20;
    read.has_pools = read_number("CUDAHOST_POOLS", 1, 0, 1) != 0;
    read.loads_lazily = read_number("CUDAHOST_LAZY", 0, 0, 1) != 0;
    read.n_devices = static_cast<int>(read_number("CUDAHOST_DEVICES", 1, 0, 1));
    read.driver_version = static_cast<int>(read_number("CUDAHOST_DRIVER", CUDART_VERSION, 0, 1 << 20));
    const char *align = getenv("CUDAHOST_ALIGN");
    if (align && strcmp(align, "end") != 0 && strcmp(align, "start") != 0)
        fatal("CUDAHOST_ALIGN=%s: neither end nor start", align);
    read.align_to_end = !align || strcmp(align, "end") == 0;
    read_failing(read.failing);
    return read;
}

} // namespace

const Settings &settings() {
    static const Settings the_settings = read_settings();
    return the_settings;
}

bool must_fail(FailingCall kind) {
    static std::atomic<unsigned> n_calls[static_cast<int>(FailingCall::N_KINDS)];
    unsigned failing = settings().failing[static_cast<int>(kind)];
    return ++n_calls[static_cast<int>(kind)] == failing;
}

} // namespace ms_cuda_host
