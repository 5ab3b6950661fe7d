;; Counts CSV records 64 bytes at a time: docs/decisions/0011-simd-scan-kernel.md.
;; `node --import tsx tools/build-scan-kernel.ts` assembles it into scan-kernel.ts.
;;
;; The kernel counts only clean records. A record is clean if it has the header's number of fields, ends in LF or
;; CRLF, has no NUL, and its quotes open at a field's first byte and close at its last. The kernel stops at the
;; first other record. scanner.ts handles every case and reads that record.
;;
;; A mask of 64 bits marks each kind of byte in a window. Its lowest bit is the first byte. One bit for each fact
;; about the byte before a window (was it a CR? a delimiter?) is carried over.
(module
  ;; 192 KiB: the results, then a piece of the file. A piece is small enough for the processor's cache.
  (memory (export "memory") 3)

  ;; Reads whole windows before $end, from the record start at address $from.
  ;; Returns the address of the record start where it stopped, and writes 32-bit integers to these addresses:
  ;;    0 the number of records passed
  ;;    4 the number of those records that end in CRLF
  ;;    8 the bytes of the longest record, without its line end
  ;;   12 the number of line breaks in quotes: an LF, a CRLF and a CR are one each
  (func (export "run")
    (param $from i32)
    (param $end i32)
    (param $stop i32)             ;; the kernel passes no record from this address on
    (param $delimiter i32)
    (param $delimitersWanted i32) ;; number in each record
    (result i32)

    (local $at i32)               ;; address of the window
    (local $recordStart i32)
    (local $seen i32)             ;; delimiters of the current record before the window
    (local $records i32)
    (local $crlfs i32)
    (local $longest i32)
    (local $settled i32)          ;; line breaks in quotes of the records passed
    (local $pending i32)          ;; line breaks in quotes of the current record, before the window
    (local $breaks i64)           ;; first bytes of the window's line breaks in quotes

    (local $v0 v128) (local $v1 v128) (local $v2 v128) (local $v3 v128)
    (local $delimiterBytes v128)
    (local $quoteBytes v128)
    (local $lfBytes v128)
    (local $crBytes v128)
    (local $zeros v128)

    ;; Masks of the window.
    (local $delimiters i64)
    (local $quotes i64)
    (local $lfs i64)
    (local $crs i64)
    (local $inside i64)           ;; bytes in quotes, with the opening quote and without the closing one
    (local $outside i64)
    (local $starts i64)           ;; first bytes of a field
    (local $closing i64)          ;; quotes that close. Of an escaped quote, the first half closes and the second opens
    (local $afterClosing i64)
    (local $opening i64)
    (local $afterCr i64)          ;; bytes after a CR outside quotes
    (local $bad i64)              ;; bytes that make their record unclean
    (local $sure i64)             ;; bytes before the first bad one. Behind it the other masks may be wrong
    (local $ends i64)             ;; LFs outside quotes
    (local $before i64)           ;; scratch mask, mostly of the bytes before a line end or field

    ;; Facts about the byte before the window: 0 or 1. $insideCarry is all ones if that byte is in quotes.
    (local $startCarry i64)
    (local $closingCarry i64)
    (local $crCarry i64)
    (local $insideCarry i64)

    ;; Values of one record.
    (local $counted i32)          ;; the window's delimiters before the record's end
    (local $lineEnd i32)            ;; address of its LF
    (local $isCrlf i32)
    (local $bytes i32)

    (local.set $delimiterBytes (i8x16.splat (local.get $delimiter)))
    (local.set $quoteBytes (i8x16.splat (i32.const 0x22)))
    (local.set $lfBytes (i8x16.splat (i32.const 0x0a)))
    (local.set $crBytes (i8x16.splat (i32.const 0x0d)))
    (local.set $at (local.get $from))
    (local.set $recordStart (local.get $from))
    (local.set $startCarry (i64.const 1))

    (block $done
      (br_if $done (i32.ge_u (local.get $from) (local.get $stop)))
      (loop $window
        (br_if $done (i32.gt_u (i32.add (local.get $at) (i32.const 64)) (local.get $end)))
        (local.set $v0 (v128.load align=1 (local.get $at)))
        (local.set $v1 (v128.load offset=16 align=1 (local.get $at)))
        (local.set $v2 (v128.load offset=32 align=1 (local.get $at)))
        (local.set $v3 (v128.load offset=48 align=1 (local.get $at)))

        ;; WAT has no macros, and a call would cost as much as the work. So the code repeats for each kind of byte.
        (local.set $delimiters
          (i64.or
            (i64.or
              (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v0) (local.get $delimiterBytes))))
              (i64.shl (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v1) (local.get $delimiterBytes)))) (i64.const 16)))
            (i64.or
              (i64.shl (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v2) (local.get $delimiterBytes)))) (i64.const 32))
              (i64.shl (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v3) (local.get $delimiterBytes)))) (i64.const 48)))))
        (local.set $quotes
          (i64.or
            (i64.or
              (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v0) (local.get $quoteBytes))))
              (i64.shl (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v1) (local.get $quoteBytes)))) (i64.const 16)))
            (i64.or
              (i64.shl (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v2) (local.get $quoteBytes)))) (i64.const 32))
              (i64.shl (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v3) (local.get $quoteBytes)))) (i64.const 48)))))
        (local.set $lfs
          (i64.or
            (i64.or
              (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v0) (local.get $lfBytes))))
              (i64.shl (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v1) (local.get $lfBytes)))) (i64.const 16)))
            (i64.or
              (i64.shl (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v2) (local.get $lfBytes)))) (i64.const 32))
              (i64.shl (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v3) (local.get $lfBytes)))) (i64.const 48)))))
        (local.set $crs
          (i64.or
            (i64.or
              (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v0) (local.get $crBytes))))
              (i64.shl (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v1) (local.get $crBytes)))) (i64.const 16)))
            (i64.or
              (i64.shl (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v2) (local.get $crBytes)))) (i64.const 32))
              (i64.shl (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v3) (local.get $crBytes)))) (i64.const 48)))))

        ;; NUL. The least byte of every column of 16 shows whether there is any.
        (local.set $bad (i64.const 0))
        (if
          (i32.eqz
            (i8x16.all_true
              (i8x16.min_u
                (i8x16.min_u (local.get $v0) (local.get $v1))
                (i8x16.min_u (local.get $v2) (local.get $v3)))))
          (then
            (local.set $bad
              (i64.or
                (i64.or
                  (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v0) (local.get $zeros))))
                  (i64.shl (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v1) (local.get $zeros)))) (i64.const 16)))
                (i64.or
                  (i64.shl (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v2) (local.get $zeros)))) (i64.const 32))
                  (i64.shl (i64.extend_i32_u (i8x16.bitmask (i8x16.eq (local.get $v3) (local.get $zeros)))) (i64.const 48)))))))

        ;; A byte is in quotes if the number of quotes up to it is odd. Every step doubles the number of bytes
        ;; that each bit sums up.
        (local.set $inside (local.get $insideCarry))
        (if (i64.ne (local.get $quotes) (i64.const 0))
          (then
            (local.set $inside (local.get $quotes))
            (local.set $inside (i64.xor (local.get $inside) (i64.shl (local.get $inside) (i64.const 1))))
            (local.set $inside (i64.xor (local.get $inside) (i64.shl (local.get $inside) (i64.const 2))))
            (local.set $inside (i64.xor (local.get $inside) (i64.shl (local.get $inside) (i64.const 4))))
            (local.set $inside (i64.xor (local.get $inside) (i64.shl (local.get $inside) (i64.const 8))))
            (local.set $inside (i64.xor (local.get $inside) (i64.shl (local.get $inside) (i64.const 16))))
            (local.set $inside (i64.xor (local.get $inside) (i64.shl (local.get $inside) (i64.const 32))))
            (local.set $inside (i64.xor (local.get $inside) (local.get $insideCarry)))
            (local.set $insideCarry (i64.shr_s (local.get $inside) (i64.const 63)))))
        (local.set $outside (i64.xor (local.get $inside) (i64.const -1)))
        (local.set $ends (i64.and (local.get $lfs) (local.get $outside)))

        ;; Only an LF is clean after a CR outside quotes.
        (local.set $before (i64.and (local.get $crs) (local.get $outside)))
        (local.set $afterCr
          (i64.or (i64.shl (local.get $before) (i64.const 1)) (local.get $crCarry)))
        (local.set $crCarry (i64.shr_u (local.get $before) (i64.const 63)))
        (local.set $bad
          (i64.or
            (local.get $bad)
            (i64.and (local.get $afterCr) (i64.xor (local.get $lfs) (i64.const -1)))))

        ;; A delimiter, a line end or the second half of an escaped quote must follow a quote that closes.
        (local.set $closing (i64.and (local.get $quotes) (local.get $outside)))
        (local.set $afterClosing
          (i64.or (i64.shl (local.get $closing) (i64.const 1)) (local.get $closingCarry)))
        (local.set $closingCarry (i64.shr_u (local.get $closing) (i64.const 63)))
        (local.set $bad
          (i64.or
            (local.get $bad)
            (i64.and
              (local.get $afterClosing)
              (i64.xor
                (i64.or
                  (i64.or (local.get $delimiters) (local.get $quotes))
                  (i64.or (local.get $lfs) (local.get $crs)))
                (i64.const -1)))))

        ;; A quote that opens must be a field's first byte or the second half of an escaped quote.
        (local.set $delimiters (i64.and (local.get $delimiters) (local.get $outside)))
        (local.set $before (i64.or (local.get $delimiters) (local.get $ends)))
        (local.set $starts
          (i64.or (i64.shl (local.get $before) (i64.const 1)) (local.get $startCarry)))
        (local.set $startCarry (i64.shr_u (local.get $before) (i64.const 63)))
        (local.set $opening (i64.and (local.get $quotes) (local.get $inside)))
        (local.set $bad
          (i64.or
            (local.get $bad)
            (i64.and
              (local.get $opening)
              (i64.xor
                (i64.or (local.get $starts) (local.get $afterClosing))
                (i64.const -1)))))

        ;; The lowest bit of $bad, less one, marks all bytes before it. If $bad is 0, all bits become 1.
        (local.set $sure
          (i64.sub
            (i64.and (local.get $bad) (i64.sub (i64.const 0) (local.get $bad)))
            (i64.const 1)))

        (local.set $breaks
          (i64.and
            (i64.and (i64.or (local.get $lfs) (local.get $crs)) (local.get $inside))
            (local.get $sure)))
        (if (i64.ne (local.get $breaks) (i64.const 0))
          (then
            ;; An LF behind a CR belongs to the same line break.
            (local.set $before
              (i64.or
                (i64.shl (local.get $crs) (i64.const 1))
                (i64.extend_i32_u
                  (i32.eq
                    (i32.load8_u (i32.sub (local.get $at) (i32.const 1)))
                    (i32.const 0x0d)))))
            (local.set $breaks
              (i64.and
                (local.get $breaks)
                (i64.or
                  (local.get $crs)
                  (i64.xor (local.get $before) (i64.const -1)))))))
        (local.set $ends (i64.and (local.get $ends) (local.get $sure)))
        (block $noMoreEnds
          (loop $record
            (br_if $noMoreEnds (i64.eqz (local.get $ends)))
            (local.set $before
              (i64.sub
                (i64.and (local.get $ends) (i64.sub (i64.const 0) (local.get $ends)))
                (i64.const 1)))
            (local.set $counted
              (i32.wrap_i64 (i64.popcnt (i64.and (local.get $delimiters) (local.get $before)))))
            (br_if $done
              (i32.ne
                (i32.add (local.get $seen) (local.get $counted))
                (local.get $delimitersWanted)))

            (local.set $isCrlf
              (i32.wrap_i64
                (i64.and
                  (i64.shr_u (local.get $afterCr) (i64.ctz (local.get $ends)))
                  (i64.const 1))))
            (local.set $lineEnd
              (i32.add (local.get $at) (i32.wrap_i64 (i64.ctz (local.get $ends)))))
            (local.set $bytes
              (i32.sub
                (i32.sub (local.get $lineEnd) (local.get $isCrlf))
                (local.get $recordStart)))
            (local.set $longest
              (select
                (local.get $bytes)
                (local.get $longest)
                (i32.gt_u (local.get $bytes) (local.get $longest))))
            (local.set $records (i32.add (local.get $records) (i32.const 1)))
            (local.set $crlfs (i32.add (local.get $crlfs) (local.get $isCrlf)))
            (local.set $recordStart (i32.add (local.get $lineEnd) (i32.const 1)))
            (br_if $done (i32.ge_u (local.get $recordStart) (local.get $stop)))

            ;; The next count in this window includes these delimiters again, so they are subtracted first.
            (local.set $seen (i32.sub (i32.const 0) (local.get $counted)))
            (local.set $ends
              (i64.and (local.get $ends) (i64.sub (local.get $ends) (i64.const 1))))
            (br $record)))

        (br_if $done (i64.ne (local.get $bad) (i64.const 0)))
        (if (i64.ne (i64.or (local.get $breaks) (i64.extend_i32_u (local.get $pending))) (i64.const 0))
          (then
            (if (i32.gt_u (local.get $recordStart) (local.get $at))
              (then
                (local.set $before
                  (i64.shr_u
                    (i64.const -1)
                    (i64.extend_i32_u
                      (i32.sub
                        (i32.const 64)
                        (i32.sub (local.get $recordStart) (local.get $at))))))
                (local.set $settled
                  (i32.add
                    (i32.add (local.get $settled) (local.get $pending))
                    (i32.wrap_i64 (i64.popcnt (i64.and (local.get $breaks) (local.get $before))))))
                (local.set $pending (i32.const 0))
                (local.set $breaks
                  (i64.and (local.get $breaks) (i64.xor (local.get $before) (i64.const -1))))))
            (local.set $pending
              (i32.add (local.get $pending) (i32.wrap_i64 (i64.popcnt (local.get $breaks)))))))
        (local.set $seen
          (i32.add (local.get $seen) (i32.wrap_i64 (i64.popcnt (local.get $delimiters)))))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br $window)))

    ;; If the kernel stopped inside a window, it adds the line breaks of the records that it passed there.
    (if (i32.gt_u (local.get $recordStart) (local.get $at))
      (then
        (local.set $settled
          (i32.add
            (i32.add (local.get $settled) (local.get $pending))
            (i32.wrap_i64
              (i64.popcnt
                (i64.and
                  (local.get $breaks)
                  (i64.shr_u
                    (i64.const -1)
                    (i64.extend_i32_u
                      (i32.sub
                        (i32.const 64)
                        (i32.sub (local.get $recordStart) (local.get $at))))))))))))
    (i32.store (i32.const 0) (local.get $records))
    (i32.store (i32.const 4) (local.get $crlfs))
    (i32.store (i32.const 8) (local.get $longest))
    (i32.store (i32.const 12) (local.get $settled))
    (local.get $recordStart)))
