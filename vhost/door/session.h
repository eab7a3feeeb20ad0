// One VMM being served: the lock-step relay between its socket and rte_vhost's.
//
// Theory of operation. There is one message in flight:
//
//   collect a message whole -> check it -> pass it on -> await the one answer -> hand it over ->
//   ...
//
// Every message that is passed on asks for an ack (NEED_REPLY), except those with an answer of
// their own: rte_vhost answers these or closes the connection, while a failure ack could be
// mistaken for their answer. So exactly one answer comes back or the connection ends; an ack
// that the VMM did not ask for stays here. What the VMM has sent beyond its message waits in the
// socket until the answer was handed over, so rte_vhost never blocks on a write, nor on a read.
//
// A message must be whole within a second of its first byte and an answer be taken within a
// second; else the session ends. A VMM that sends more than it should is slowed down (limits.h).
//
// Threads: the io_context's. The handlers own the session; `ended` is called once, never from
// within the constructor or start().
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <string>

#include "vhost/door/disposer.h"
#include "vhost/door/limits.h"
#include "vhost/door/message.h"
#include "vhost/door/message_record.h"
#include "vhost/door/protocol_state.h"
#include "vhost/door/rate.h"
#include "vhost/unique_fd.h"

namespace vhost::door {

class Session : public std::enable_shared_from_this<Session> {
 public:
  // What outlives a session and belongs to its port.
  struct Port {
    const DoorLimits& limits;
    TokenBucket& pace;
    Disposer& disposer;
    MessageHistory& history;
    std::function<void(uint64_t address)> announced;  // SEND_RARP was carried out
  };
  // `backend` is the private connection, which is half closed: rte_vhost will close it too.
  using Ended = std::function<void(UniqueFd backend, const std::string& reason, bool fault)>;

  Session(boost::asio::io_context& loop, UniqueFd vmm, UniqueFd backend, const ProtocolOffer& offer,
          Port port, Ended ended);

  void start();

  // Sends the VMM away. Does nothing when the session has ended.
  void end(const std::string& reason, bool fault);

  // rte_vhost is done with the connection, as this side may or may not have seen yet.
  void library_closed();

 private:
  enum class Stage { reading, asking, awaiting, answering };

  void read_next();
  void await_vmm();
  void await_backend();
  void on_vmm_readable();
  void on_backend_readable();
  void handle();
  void ask_backend();
  void pass_on();
  void on_answer(const Message& answer);
  void check_answer(const Message& answer) const;
  void answer_vmm(Message answer);
  void hand_over();
  void set_deadline(const char* reason);
  void clear_deadline();

  // Runs `step`; whatever it throws ends the session.
  template <typename Step>
  void guarded(Step step);
  // A handler that runs `step` unless the session has ended meanwhile.
  template <typename Step>
  auto handler(Step step);

  Port port_;
  Ended ended_;
  boost::asio::posix::stream_descriptor vmm_;
  boost::asio::posix::stream_descriptor backend_;
  boost::asio::steady_timer deadline_;
  boost::asio::steady_timer pause_;
  ProtocolState state_;
  MessageReader from_vmm_;
  MessageReader from_backend_;
  MessageWriter to_vmm_;
  MessageWriter to_backend_;
  Stage stage_ = Stage::reading;
  bool deadline_set_ = false;
  unsigned deadline_number_ = 0;  // of the one set; an older one may still be in the queue
  bool over_ = false;
  Message asked_;  // the message in hand; its descriptors leave it when they are passed on
};

}  // namespace vhost::door
