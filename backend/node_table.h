/* Which op a number stands for.  A kernel that meets bad data reports its node by a number that is unique on the
   device, and a device that is lost was at work on some numbers: the tables of its programs tell the ops.  For
   backends. */
#ifndef MS_BACKEND_NODE_TABLE_H
#define MS_BACKEND_NODE_TABLE_H

#include <stdio.h>

#include "backend/call_list.h"

/* The nodes of one program, which owns it. */
typedef struct ms_node_table {
    struct ms_node_table *next; /* in the device's list */
    const ms_call_list *calls;  /* borrowed; set before the table is added */
    uint32_t first;             /* number of node 0 on the device */
    uint64_t last_value; /* of the backend's counter of submissions, at the last run; 0: none, or it does not count */
} ms_node_table;

/* Of a device. */
typedef struct ms_node_tables {
    ms_node_table *list; /* borrowed */
    uint32_t next_node;  /* of the next program */
} ms_node_tables;

/* Adds the table of a new program, and numbers its nodes. */
static inline void ms_node_tables_add(ms_node_tables *tables, ms_node_table *table) {
    table->first = tables->next_node;
    tables->next_node += (uint32_t)table->calls->n_calls;
    table->next = tables->list;
    tables->list = table;
}

/* Before the program is freed; nothing for a table that was not added. */
static inline void ms_node_tables_remove(ms_node_tables *tables, const ms_node_table *table) {
    for (ms_node_table **link = &tables->list; *link; link = &(*link)->next)
        if (*link == table) {
            *link = table->next;
            return;
        }
}

/* The table that a number belongs to, NULL: its program is gone. */
static inline const ms_node_table *ms_node_tables_find(const ms_node_tables *tables, uint32_t node) {
    for (const ms_node_table *table = tables->list; table; table = table->next)
        if (node >= table->first && node - table->first < (uint32_t)table->calls->n_calls) return table;
    return NULL;
}

/* "embed (node 3, layer 0)". */
static inline void ms_node_tables_describe(const ms_node_tables *tables, uint32_t node, char *out, size_t size) {
    const ms_node_table *table = ms_node_tables_find(tables, node);
    if (!table) {
        snprintf(out, size, "a node of an earlier program");
        return;
    }
    ms_op_call_text(&table->calls->calls[node - table->first], out, size);
}

/* What a value reported at the node was compared with, 0: unknown. */
static inline int64_t ms_node_tables_fault_limit(const ms_node_tables *tables, uint32_t node) {
    const ms_node_table *table = ms_node_tables_find(tables, node);
    return table ? table->calls->calls[node - table->first].fault_limit : 0;
}

#endif
