#include "ctl/invocation.h"

#include <boost/program_options/errors.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>

#include "client/default_paths.h"

namespace switchctl {

namespace po = boost::program_options;

po::variables_map Invocation::parse(po::options_description options,
                                    const std::vector<std::string>& words) const {
  po::positional_options_description positions;
  for (const std::string& word : words) {
    const bool optional = word.front() == '[';
    const std::string name = optional ? word.substr(1, word.size() - 2) : word;
    auto* value = po::value<std::string>();
    if (!optional) value->required();
    options.add_options()(name.c_str(), value);
    positions.add(name.c_str(), 1);
  }
  constexpr int kStyle =
      po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
  po::variables_map variables;
  try {
    po::store(po::command_line_parser(arguments_)
                  .options(options)
                  .positional(positions)
                  .style(kStyle)
                  .run(),
              variables);
    po::notify(variables);
  } catch (const po::required_option& error) {
    std::string name = error.get_option_name();
    name.erase(0, name.find_first_not_of('-'));
    throw UsageError(name + " is missing");
  } catch (const po::too_many_positional_options_error&) {
    throw UsageError("too many words");
  } catch (const po::error& error) {
    throw UsageError(error.what());
  }
  return variables;
}

client::RpcClient& Invocation::client() {
  if (!client_) client_.emplace(socket_.empty() ? client::control_socket() : socket_);
  return *client_;
}

nlohmann::json Invocation::call(const std::string& method, nlohmann::json params) {
  return client().call(method, std::move(params));
}

bool Invocation::print_json(const nlohmann::json& result) {
  if (json_) out_ << result.dump(2) << "\n";
  return json_;
}

}  // namespace switchctl
