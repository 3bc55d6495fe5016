#include "repo/opening.h"

#include "base/codec.h"

namespace holdfast::repo {

Buffer encode(const Opening& opening) {
  Encoder out;
  encode(out, opening.transaction);
  out.raw(opening.run);
  out.raw(opening.nonce);
  encode(out, opening.time);
  out.u32(opening.place.domain);
  out.u32(opening.place.epoch);
  out.raw(opening.secret.ephemeral);
  out.blob(opening.secret.sealed);
  return out.take();
}

Result<Opening> decode_opening(Bytes body) {
  Decoder in(body);
  Opening opening;
  opening.transaction = model::decode_transaction(in);
  opening.run = in.array<16>();
  opening.nonce = in.array<16>();
  opening.time = model::decode_time(in);
  opening.place.domain = in.u32();
  opening.place.epoch = in.u32();
  opening.secret.ephemeral = in.array<32>();
  const Bytes sealed = in.blob();
  opening.secret.sealed.assign(sealed.begin(), sealed.end());
  TRY(in.finish("the object"));
  return opening;
}

}  // namespace holdfast::repo
