#include "vmm/qemu/qmp_session.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "vmm/json_stream.h"
#include "vmm/vmm.h"

namespace launcher::qemu {

namespace asio = boost::asio;
using nlohmann::json;
using Milliseconds = std::chrono::milliseconds;

namespace {

constexpr size_t longest_message = 1 << 20;
constexpr size_t most_words = 2000;

std::string answer_to(uint64_t command) {
  return "answer " + std::to_string(command);
}

VmmError no_answer(const std::string& to, Milliseconds limit) {
  const double seconds = std::chrono::duration<double>(limit).count();
  return VmmError("QEMU gave no answer to " + to + " within " + json(seconds).dump() + " s");
}

VmmError hung_up(const std::string& during) {
  return VmmError("QEMU hung up during " + during + "; its log says why");
}

VmmError refused(const std::string& command, const json& error) {
  const auto words = error.is_object() ? error.find("desc") : error.end();
  const bool told = error.is_object() && words != error.end() && words->is_string();
  const std::string reason = told ? words->get<std::string>() : error.dump();
  return VmmError("QEMU refused " + command + ": " + reason.substr(0, most_words));
}

}  // namespace

asio::awaitable<void> QmpSession::open(std::filesystem::path path, Milliseconds start,
                                       Milliseconds limit,
                                       std::shared_ptr<const ProcessLife> life) {
  const auto self = shared_from_this();
  const auto greeting = expected_.expect("greeting");
  socket_ = co_await connect_when_it_listens(path, start, life);
  asio::co_spawn(socket_.get_executor(), read(self), asio::detached);
  const auto greeted = co_await expected_.wait(greeting, limit);
  if (!greeted && ended()) throw hung_up("its start");
  if (!greeted) {
    throw VmmError(
        "QEMU is not ready to talk: it waits for the switch to listen on the sockets of "
        "its interfaces");
  }
  Command capabilities{"qmp_capabilities", {}};
  co_await execute(std::move(capabilities), limit);
}

asio::awaitable<json> QmpSession::execute(Command command, Milliseconds limit) {
  const auto self = shared_from_this();
  if (ended() || !socket_.is_open()) throw hung_up(command.name);
  const uint64_t id = ++commands_;
  const auto ticket = expected_.expect(answer_to(id));
  json message = {{"execute", command.name}, {"id", id}};
  if (!command.arguments.is_null()) message["arguments"] = command.arguments;
  send(message);
  const auto answer = co_await expected_.wait(ticket, limit);
  if (!answer && ended()) throw hung_up(command.name);
  if (!answer) throw no_answer(command.name, limit);
  if (answer->contains("error")) throw refused(command.name, answer->at("error"));
  co_return answer->at("return");
}

void QmpSession::close() {
  handler_ = nullptr;
  boost::system::error_code ignored;
  socket_.close(ignored);
  end();
}

void QmpSession::end() {
  expected_.end();
}

asio::awaitable<void> QmpSession::read(std::shared_ptr<QmpSession> self) {
  JsonStream stream("\n", longest_message);
  std::array<char, 4096> bytes;
  boost::system::error_code error;
  while (self->socket_.is_open() && stream.unreadable() == 0) {
    const asio::mutable_buffer buffer = asio::buffer(bytes);
    const size_t count = co_await self->socket_.async_read_some(
        buffer, asio::redirect_error(asio::use_awaitable, error));
    if (error) break;
    for (const json& message : stream.feed({bytes.data(), count})) self->take(message);
  }
  self->end();
}

void QmpSession::take(const json& message) {
  if (message.contains("QMP")) {
    expected_.meet("greeting", message);
  } else if (message.contains("event")) {
    if (handler_) handler_(message);
  } else if (message.contains("return") || message.contains("error")) {
    const auto id = message.find("id");
    if (id == message.end() || !id->is_number_unsigned()) return;
    expected_.meet(answer_to(id->get<uint64_t>()), message);
  }
}

void QmpSession::send(const json& message) {
  outbox_ += message.dump() + '\n';
  if (writing_) return;
  writing_ = true;
  asio::co_spawn(socket_.get_executor(), write(shared_from_this()), asio::detached);
}

asio::awaitable<void> QmpSession::write(std::shared_ptr<QmpSession> self) {
  boost::system::error_code error;
  while (!self->outbox_.empty() && !error) {
    const std::string text = std::exchange(self->outbox_, {});
    const asio::const_buffer buffer = asio::buffer(text);
    co_await asio::async_write(self->socket_, buffer,
                               asio::redirect_error(asio::use_awaitable, error));
  }
  self->writing_ = false;
}

}  // namespace launcher::qemu
