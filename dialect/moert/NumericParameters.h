// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the attributes of verified ops mean to runtime/numerics: the same to every device.

#ifndef SORTIE_DIALECT_MOERT_NUMERICPARAMETERS_H
#define SORTIE_DIALECT_MOERT_NUMERICPARAMETERS_H

#include "dialect/moert/MoertOps.h"
#include "runtime/numerics/activation.h"
#include "runtime/numerics/route.h"

namespace sortie::moert {

/// The number of experts is that of the scores, which must be constant.
numerics::RouteParams getRouteParams(RouteOp op);

numerics::Glu getGluParams(GluOp op);
numerics::Glu getGluParams(GluMatmulOp op);

} // namespace sortie::moert

#endif // SORTIE_DIALECT_MOERT_NUMERICPARAMETERS_H
