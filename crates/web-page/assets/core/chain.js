// Proof that nothing is missing: every message names the position before it.

export class Chain {
  /** Messages whose predecessor was the one before, gaps found, and the last position. */
  proven = 0;
  gaps = 0;
  position = null;
  token = '';

  /** The chain begins, or begins anew, at the position that the message names. */
  begin({ seq, index, token }) {
    this.position = [seq, index];
    this.token = token;
  }

  /** Takes a live message: true when it follows the last one. */
  follow({ seq, index, prev_seq: prevSeq, prev_index: prevIndex, token }) {
    const follows = this.position !== null && this.position[0] === prevSeq && this.position[1] === prevIndex;
    if (!follows) {
      this.gaps += 1;
      return false;
    }
    this.proven += 1;
    this.position = [seq, index];
    this.token = token;
    return true;
  }
}
