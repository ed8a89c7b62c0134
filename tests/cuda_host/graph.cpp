#include <algorithm>

#include "tests/cuda_host/random.h"
#include "tests/cuda_host/settings.h"
#include "tests/cuda_host/stream.h"

namespace ms_cuda_host {
namespace {

/* Which of n candidates, in order of capture, runs next. */
size_t choose(size_t n, Random &random) {
    unsigned order = settings().stream_order;
    if (order == 0) return 0;
    return order == 1 ? n - 1 : random.below(n);
}

} // namespace

void run_graph(const Graph &graph, void (*run_work)(const Work &work)) {
    std::vector<size_t> n_awaited(graph.nodes.size());
    std::vector<std::vector<size_t>> followers(graph.nodes.size());
    std::vector<size_t> ready; /* ascending */
    for (size_t i = 0; i < graph.nodes.size(); i++) {
        n_awaited[i] = graph.nodes[i].after.size();
        for (size_t before : graph.nodes[i].after) followers[before].push_back(i);
        if (n_awaited[i] == 0) ready.push_back(i);
    }
    Random random(settings().stream_order);
    while (!ready.empty()) {
        size_t position = choose(ready.size(), random);
        size_t node = ready[position];
        ready.erase(ready.begin() + static_cast<ptrdiff_t>(position));
        run_work(graph.nodes[node].work);
        for (size_t follower : followers[node])
            if (--n_awaited[follower] == 0)
                ready.insert(std::lower_bound(ready.begin(), ready.end(), follower), follower);
    }
}

bool joined(const Graph &graph, const std::vector<size_t> &last) {
    std::vector<bool> reached(graph.nodes.size(), false);
    for (size_t node : last) reached[node] = true;
    for (size_t i = graph.nodes.size(); i-- > 0;)
        if (reached[i])
            for (size_t before : graph.nodes[i].after) reached[before] = true;
    return std::find(reached.begin(), reached.end(), false) == reached.end();
}

} // namespace ms_cuda_host
