// Torchwood has a cosigned checkpoint judged by filippo.io/torchwood, which shares no code with Ledgerstone: its reader
// of policies, its verifier of cosignatures.
//
//	torchwood -policy FILE [-fails] CHECKPOINT
//
// With -fails the policy must not be met.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"filippo.io/torchwood"
)

func main() {
	policy := flag.String("policy", "", "policy file, C2SP tlog-policy")
	fails := flag.Bool("fails", false, "the policy must not be met")
	flag.Parse()
	if err := run(*policy, flag.Arg(0), *fails); err != nil {
		fmt.Fprintln(os.Stderr, "torchwood: FAILED:", err)
		os.Exit(1)
	}
}

func run(policyFile, checkpointFile string, fails bool) error {
	text, err := os.ReadFile(policyFile)
	if err != nil {
		return err
	}
	policy, err := torchwood.ParsePolicy(text)
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	signed, err := os.ReadFile(checkpointFile)
	if err != nil {
		return err
	}
	checkpoint, _, err := torchwood.VerifyCheckpoint(signed, policy)
	switch {
	case fails && err == nil:
		return errors.New("the policy is met and should not be")
	case fails:
		fmt.Println("torchwood: not met, as it should be:", err)
		return nil
	case err != nil:
		return err
	}
	fmt.Printf("torchwood: %d entries of %s are cosigned as the policy asks\n", checkpoint.N, checkpoint.Origin)
	return nil
}
