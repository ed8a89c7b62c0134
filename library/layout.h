/* Where the members of structures lie, for callers in languages that cannot read headers: the Python package makes its
   structures from this, so that none is written twice. */
#ifndef MS_LIBRARY_LAYOUT_H
#define MS_LIBRARY_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Members of a structure stand together, in their order; a structure that is a member of another one comes before
   it. */
typedef struct ms_layout {
    const char *structure; /* "ms_spectrum"; of a constant the enumeration's name: "ms_element" */
    const char *member;    /* ""; the structure as a whole, after its members */
    const char *type; /* of the member, or of the elements of an array, in the letters of Python's struct: "?", "c",
                         "i", "I", "q", "Q", "d", "P" (any pointer); or the name of a structure; "=": a constant */
    size_t offset;    /* bytes; the value of a constant */
    size_t size;      /* bytes of the whole member; 0 of a constant */
} ms_layout;

/* Row i of library/layout.def; false: there are no more.  Each of the others may not be NULL; texts are static.
   Thread-safe. */
bool ms_layout_row(int i, ms_layout *out);

#ifdef __cplusplus
}
#endif

#endif
