// The catalog's tables, as the list of steps that made them. Private to catalog/.
#pragma once

#include "catalog/sqlite.h"

namespace lestapenna::catalog {

/// Is this an empty database, or a catalog that this program knows? Changes nothing. Errors: failed for a schema newer
/// than this program, damaged for what is no catalog.
Status check_schema(const Database& database);

/// Brings a checked database to the newest schema, in one transaction; what is there already is kept. Of several
/// processes that do it at once one does it, the others wait.
Status migrate(const Database& database);

/// How many steps there are; a database says in user_version how many it has taken.
int newest_schema();

}  // namespace lestapenna::catalog
