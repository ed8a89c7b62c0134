#include "cli/analyze/plan.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text in malloc'ed memory; NULL when out of memory. */
__attribute__((format(printf, 1, 2))) static char *print(const char *format, ...) {
    char *out = NULL;
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int n = vsnprintf(NULL, 0, format, arguments);
    if (n >= 0 && (out = malloc((size_t)n + 1))) vsnprintf(out, (size_t)n + 1, format, again);
    va_end(again);
    va_end(arguments);
    return out;
}

static ms_status no_memory(void) { return MS_FAIL(MS_OUT_OF_MEMORY, "analyze: no memory for the list of matrices"); }

/* What is being planned. */
typedef struct planner {
    const ms_foreign *here, *other;
    const ms_analyze_choice *choice;
    ms_analyze_plan *plan;
    size_t capacity; /* of plan->items */
} planner;

static ms_status add_item(planner *p, ms_analyze_item **out) {
    ms_analyze_plan *plan = p->plan;
    if (plan->n == p->capacity) {
        size_t larger = p->capacity ? 2 * p->capacity : 64;
        ms_analyze_item *items = realloc(plan->items, larger * sizeof *items);
        if (!items) return no_memory();
        plan->items = items;
        p->capacity = larger;
    }
    *out = &plan->items[plan->n++];
    **out = (ms_analyze_item){.note = ""};
    return MS_OK;
}

/* Why a matrix cannot be analyzed, in malloc'ed memory; NULL: it can. */
static char *find_obstacle(const ms_analyze_item *item) {
    const ms_part *here = &item->here.part, *other = &item->other.part;
    if (here->rows > INT_MAX || here->cols > INT_MAX)
        return print("[%lld, %lld]: a side is longer than %d", (long long)here->rows, (long long)here->cols, INT_MAX);
    if (item->other.tensor && (here->rows != other->rows || here->cols != other->cols))
        return print("[%lld, %lld] here and [%lld, %lld] in what it is compared with", (long long)here->rows,
                     (long long)here->cols, (long long)other->rows, (long long)other->cols);
    return NULL;
}

/* The same matrix in the other file; tensor NULL: it has none. */
static ms_analyze_place find_other(const planner *p, const char *name, int i_part, int64_t i_slice) {
    ms_analyze_place out = {0};
    const ms_safetensor *tensor = ms_foreign_find(p->other, name);
    if (!tensor || !ms_element_parse(tensor->dtype, &out.type)) return out;
    ms_parts parts = ms_parts_of(tensor, ms_foreign_sizes(p->other));
    if (i_part >= parts.n || i_slice >= parts.n_slices) return out;
    out.part = ms_parts_get(&parts, i_part, i_slice);
    out.tensor = tensor;
    return out;
}

static ms_status add_matrix(planner *p, const ms_analyze_place *place, const ms_parts *parts, int i_part) {
    ms_analyze_plan *plan = p->plan;
    const ms_part *part = &place->part;
    const char *tensor = place->tensor->name;
    bool is_named = parts->n > 1 || part->is_slice;
    char *name = part->is_slice ? print("%s:%lld", tensor, (long long)part->expert)
                 : is_named     ? print("%s:%s", tensor, part->projection)
                                : print("%s", tensor);
    if (!name) return no_memory();
    ms_analyze_place other = {0};
    bool is_wanted = !p->choice->match || regexec(p->choice->match, name, 0, NULL, 0) == 0;
    if (is_wanted && p->other) other = find_other(p, tensor, i_part, part->is_slice ? part->expert : 0);
    bool is_alone = p->other && !other.tensor;
    plan->skipped.unmatched += !is_wanted;
    plan->skipped.only_here += is_wanted && is_alone;
    ms_analyze_item *item = NULL;
    ms_status status = is_wanted && !is_alone ? add_item(p, &item) : MS_OK;
    if (!item) {
        free(name);
        return status;
    }
    item->name = name;
    item->here = *place;
    item->other = other;
    item->note = parts->note;
    item->error = find_obstacle(item);
    item->is_done = item->error != NULL;
    if (!item->error) item->cost = ms_analysis_cost((int)part->rows, (int)part->cols, p->other != NULL);
    return MS_OK;
}

static ms_status add_tensor(planner *p, const ms_safetensor *tensor, ms_parts *parts) {
    ms_analyze_skipped *skipped = &p->plan->skipped;
    ms_analyze_place place = {.tensor = tensor};
    *parts = ms_parts_of(tensor, ms_foreign_sizes(p->here));
    if (tensor->rank < 2) {
        skipped->vectors++;
    } else if (parts->n == 0) {
        skipped->masks += tensor->size_bytes > 0;
        skipped->empty += tensor->size_bytes == 0;
    } else if (!ms_element_parse(tensor->dtype, &place.type)) {
        skipped->others++;
        snprintf(skipped->other_type, sizeof skipped->other_type, "%s", tensor->dtype);
    } else {
        for (int64_t slice = 0; slice < parts->n_slices; slice++)
            for (int i = 0; i < parts->n; i++) {
                place.part = ms_parts_get(parts, i, slice);
                MS_TRY(add_matrix(p, &place, parts, i));
            }
    }
    return MS_OK;
}

/* A line for each fault of a file. */
static ms_status add_faults(planner *p, const ms_foreign *weights, const char *of) {
    size_t n;
    const ms_foreign_fault *faults = ms_foreign_faults(weights, &n);
    for (size_t i = 0; i < n; i++) {
        ms_analyze_item *item = NULL;
        MS_TRY(add_item(p, &item));
        item->name = print("%s", faults[i].name);
        item->error = print("%s%s", of, faults[i].message);
        item->is_done = true;
        if (!item->name || !item->error) return no_memory();
    }
    return MS_OK;
}

/* How many matrices of the other file are in no line. */
static int64_t count_only_there(const planner *p) {
    int64_t n = 0;
    for (size_t i = 0; i < ms_foreign_count(p->other); i++) {
        ms_element type;
        const ms_safetensor *tensor = ms_foreign_at(p->other, i);
        if (!ms_element_parse(tensor->dtype, &type) || ms_foreign_find(p->here, tensor->name)) continue;
        ms_parts parts = ms_parts_of(tensor, ms_foreign_sizes(p->other));
        n += parts.n * parts.n_slices;
    }
    return n;
}

/* ---- order ---- */

/* One item, to be sorted. */
typedef struct ranked {
    double size;
    size_t index;
} ranked;

static int compare_ranked(const void *left, const void *right) {
    const ranked *a = left, *b = right;
    if (a->size != b->size) return a->size > b->size ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static double elements(const ms_analyze_item *item) {
    return (double)item->here.part.rows * (double)item->here.part.cols;
}

/* Leaves the largest, and what has an error, in the plan. */
static void keep_largest(planner *p, ranked *all) {
    ms_analyze_plan *plan = p->plan;
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < plan->n; i++)
        if (!plan->items[i].error) all[n++] = (ranked){elements(&plan->items[i]), i};
    if (p->choice->largest == 0 || n <= (size_t)p->choice->largest) return;
    qsort(all, n, sizeof *all, compare_ranked);
    for (size_t i = (size_t)p->choice->largest; i < n; i++) {
        free(plan->items[all[i].index].name);
        plan->items[all[i].index].name = NULL;
        plan->skipped.smaller++;
    }
    for (size_t i = 0; i < plan->n; i++)
        if (plan->items[i].name) plan->items[kept++] = plan->items[i];
    plan->n = kept;
}

static ms_status sort(planner *p) {
    ms_analyze_plan *plan = p->plan;
    ranked *all = calloc(plan->n + 1, sizeof *all);
    plan->order = calloc(plan->n + 1, sizeof *plan->order);
    if (!all || !plan->order) {
        free(all);
        return no_memory();
    }
    keep_largest(p, all);
    for (size_t i = 0; i < plan->n; i++)
        if (!plan->items[i].error) all[plan->n_order++] = (ranked){plan->items[i].cost, i};
    qsort(all, plan->n_order, sizeof *all, compare_ranked);
    for (size_t i = 0; i < plan->n_order; i++) plan->order[i] = all[i].index;
    free(all);
    return MS_OK;
}

static ms_status check_some(const planner *p) {
    const ms_analyze_skipped *skipped = &p->plan->skipped;
    if (p->plan->n > 0) return MS_OK;
    if (skipped->unmatched > 0)
        return MS_FAIL(MS_NOT_FOUND, "--match: none of the %lld matrices has such a name",
                       (long long)skipped->unmatched);
    if (skipped->only_here > 0)
        return MS_FAIL(MS_NOT_FOUND, "--against: none of the %lld matrices is in the other file under the same name",
                       (long long)skipped->only_here);
    return MS_FAIL(MS_NOT_FOUND,
                   "there is no matrix among %zu tensors: %lld have fewer than two dimensions, %lld no "
                   "elements, %lld no floating-point numbers%s%s",
                   ms_foreign_count(p->here), (long long)skipped->vectors, (long long)skipped->empty,
                   (long long)skipped->others, *skipped->other_type ? " but " : "", skipped->other_type);
}

ms_status ms_analyze_plan_init(const ms_foreign *here, const ms_foreign *other, const ms_analyze_choice *choice,
                               ms_analyze_plan *out) {
    *out = (ms_analyze_plan){.n_tensors = ms_foreign_count(here), .has_other = other != NULL};
    planner p = {here, other, choice, out, 0};
    out->parts = calloc(out->n_tensors + 1, sizeof *out->parts);
    if (!out->parts) return no_memory();
    for (size_t i = 0; i < out->n_tensors; i++) MS_TRY(add_tensor(&p, ms_foreign_at(here, i), &out->parts[i]));
    MS_TRY(add_faults(&p, here, ""));
    if (other) {
        MS_TRY(add_faults(&p, other, "what it is compared with: "));
        out->skipped.only_there = count_only_there(&p);
    }
    MS_TRY(sort(&p));
    return check_some(&p);
}

void ms_analyze_plan_finish(ms_analyze_plan *plan) {
    for (size_t i = 0; i < plan->n; i++) {
        free(plan->items[i].name);
        free(plan->items[i].error);
        ms_analysis_finish(&plan->items[i].analysis);
    }
    free(plan->items);
    free(plan->order);
    free(plan->parts);
    *plan = (ms_analyze_plan){0};
}
