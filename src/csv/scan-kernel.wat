;; Counts CSV records 64 bytes at a time: docs/decisions/0011-simd-scan-kernel.md.
;; `node --import tsx tools/build-scan-kernel.ts` assembles it into scan-kernel.ts.
;;
;; It reads only what is beyond doubt. A record is clean where it has the header's number of fields, ends in LF
;; or CRLF, holds no NUL, and its quotes open at a field's first byte and close at its last. At the first other
;; record it stops: scanner.ts, which knows every case, takes that one.
;;
;; Each kind of byte in a window is a mask of 64 bits, the first byte's lowest. What a window must know of the
;; byte before it (was it a CR? a delimiter?) is carried over as one bit.
(module
  ;; 192 KiB: a piece of the file, and the results before it. A piece stays in the processor's cache.
  (memory (export "memory") 3)

  ;; From a record start at address $from, over whole windows before $end.
  ;; Returns the address of the record start where it stopped, and leaves in memory, as 32-bit integers, at
  ;;    0 the records passed
  ;;    4 those of them that end in CRLF
  ;;    8 the bytes of the longest, without its line end
  ;;   12 the line breaks in their quotes: LF, CRLF and CR are one each
  (func (export "run")
    (param $from i32)
    (param $end i32)
    (param $stop i32)             ;; no record from this address on is passed
    (param $delimiter i32)
    (param $delimitersWanted i32) ;; in each record
    (result i32)

    (local $at i32)               ;; address of the window
    (local $recordStart i32)
    (local $seen i32)             ;; delimiters of the record under way, before the window
    (local $records i32)
    (local $crlfs i32)
    (local $longest i32)
    (local $settled i32)          ;; line breaks in quotes, of the records passed
    (local $pending i32)          ;; … of the record under way, before the window
    (local $breaks i64)           ;; … first bytes of those of the window

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
    (local $inside i64)           ;; in quotes: the opening quote is, the closing one is not
    (local $outside i64)
    (local $starts i64)           ;; first bytes of a field
    (local $closing i64)          ;; quotes that close; the first half of an escaped one does, the second opens
    (local $afterClosing i64)
    (local $opening i64)
    (local $afterCr i64)          ;; follows a CR outside quotes
    (local $bad i64)              ;; bytes that make their record unclean
    (local $sure i64)             ;; before the first of them: beyond it the other masks may be wrong
    (local $ends i64)             ;; LFs outside quotes
    (local $before i64)           ;; before a line end

    ;; Of the byte before the window, 0 or 1; but all ones where it is in quotes.
    (local $startCarry i64)
    (local $closingCarry i64)
    (local $crCarry i64)
    (local $insideCarry i64)

    ;; Of one record.
    (local $counted i32)          ;; the window's delimiters before its end
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

        ;; There are no macros, and a call would cost as much as the work: the same once for each kind of byte.
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

        ;; A byte is in quotes where the quotes up to it are odd in number: every step doubles how many bytes
        ;; a bit is the sum of.
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

        ;; After a CR outside quotes only an LF is clean.
        (local.set $before (i64.and (local.get $crs) (local.get $outside)))
        (local.set $afterCr
          (i64.or (i64.shl (local.get $before) (i64.const 1)) (local.get $crCarry)))
        (local.set $crCarry (i64.shr_u (local.get $before) (i64.const 63)))
        (local.set $bad
          (i64.or
            (local.get $bad)
            (i64.and (local.get $afterCr) (i64.xor (local.get $lfs) (i64.const -1)))))

        ;; After a quote that closes: a delimiter, a line end, or the second half of an escaped quote.
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

        ;; A quote opens at a field's first byte, or it is that second half.
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

        ;; The lowest bit less one; all ones where there is none.
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
            ;; An LF behind a CR is of the same line break.
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

            ;; The next count in this window begins with these again: they are taken off beforehand.
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

    ;; Where records of the last window were passed before it stopped in it.
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
