// embed_grad: y[v,:] = acc[v,:] + scale (sum of dy[n,:] over the tokens n with index[n] = v, ascending).  Definition:
// backend/cpu/embed_grad.c.  The tokens of each row are gathered by integer operations, in steps whose results do not depend on the
// order in which atomics happen:
//   embed_grad_count   counts[v]: tokens of row v; arrivals[n]: a number of its own for each token of a row
//   embed_grad_begin   begins[v]: where the row's tokens stand in a list; which row comes first is left to chance
//   embed_grad_list    the tokens of each row, in any order
//   embed_grad_sort    the tokens of each row, ascending: a token's place is how many tokens of its row are less
//   embed_grad         the sums
// counts [V + 1] start from 0; counts[V] is how much of the list is taken.  Rows without tokens have no begin.
//
// This file: what the steps over tokens share.
layout(local_size_x_id = 0, local_size_y_id = 1, local_size_z_id = 2) in;

bool is_row(int id, uint vocabulary) { return id >= 0 && uint(id) < vocabulary; }
