#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hpo/rdb_session.h"

namespace tw::hpo {

/// The revision of Optuna's tables that this code reads and writes: the one of Optuna 3.2 to 5.0.
inline constexpr std::string_view kOptunaRevision = "v3.2.0.a";

/// The statements that make an empty database one of Optuna's, in order, all of them harmless where
/// a part is there already.
std::vector<std::string> SchemaStatements(bool postgres, std::string_view library_version);

/// Makes the tables where there are none, and checks the revision where there are. Adds indexes of
/// our own (Optuna does not mind): with them a trial costs the same in a long study. `url` is for
/// the message. Errors: kUnsupported for another revision, with the command that migrates; those of
/// the session.
Status OpenSchema(SqlSession& session, std::string_view url, std::string_view library_version);

}  // namespace tw::hpo
