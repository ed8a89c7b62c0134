#include "tests/cuda_host/cooperation.h"

#include "tests/cuda_host/report.h"

namespace ms_cuda_host {

void combine_nothing(Thread *, unsigned) {}

void combine_ballot(Thread *lanes, unsigned group) {
    unsigned votes = 0;
    for (unsigned lane = 0; lane < WARP_SIZE; lane++)
        if (group >> lane & 1 && lanes[lane].value) votes |= 1u << lane;
    for (unsigned lane = 0; lane < WARP_SIZE; lane++)
        if (group >> lane & 1) lanes[lane].result = votes;
}

void combine_shuffle(Thread *lanes, unsigned group) {
    for (unsigned lane = 0; lane < WARP_SIZE; lane++) {
        if (!(group >> lane & 1)) continue;
        unsigned source = lanes[lane].source;
        if (!(group >> source & 1))
            fatal("shuffle: lane %u reads lane %u, which is not in the mask %08x or has returned (%s:%d)", lane, source,
                  lanes[lane].mask, lanes[lane].site.file, lanes[lane].site.line);
        lanes[lane].result = lanes[source].value;
    }
}

} // namespace ms_cuda_host
