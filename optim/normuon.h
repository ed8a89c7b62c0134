/* NorMuon (Li et al. 2025, arXiv 2510.05491, as in zichongli5/NorMuon): Muon whose orthogonalised update O [R,C] is
   normalised neuron by neuron.  For each row r: v' = beta2 v + (1 - beta2) mean(O_r^2);  N_r = O_r / (sqrt(v') +
   1e-10); U = scale * N * norm(O) / norm(N), norms of Frobenius: the size of the update stays Muon's.  The paper's own
   size, 0.2 sqrt(R C) / norm(N), is that of the scaling `moonlight`, but for norm(O) in place of sqrt(min(R, C)). */
#ifndef MS_OPTIM_NORMUON_H
#define MS_OPTIM_NORMUON_H

#include "optim/muon.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ms_normuon_settings {
    ms_muon_settings muon; /* all but the normalisation; each piece that is orthogonalised alone keeps its own size */
    float beta2;           /* of the second moment of rows, in [0, 1) */
} ms_normuon_settings;

/* Of stacks of matrices only. */
extern const ms_optimizer_rule ms_normuon_rule;

#ifdef __cplusplus
}
#endif

#endif
